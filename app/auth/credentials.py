"""Checking passwords and codes: counted and throttled; passwords wait in app.auth.passwords."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from app.auth import repository
from app.auth.encryption import Encryption
from app.auth.login_throttle import KeyedHashes
from app.auth.passwords import Passwords
from app.auth.repository import (
    AttemptCounter,
    Credential,
    FoundCredential,
    Proof,
    SecondFactor,
)
from app.auth.second_factor import confirming_step, use_code
from app.errors import (
    InvalidCredentials,
    RateLimited,
    SecondFactorRequired,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
    WrongCode,
)
from app.http.request import current_request, identity
from app.values import Uuid

IS_OFF = {"field": "", "message": "There is no second factor."}
WRONG_CODE = {"field": "code", "message": "Is wrong, or was used already."}


def passwords() -> Passwords:
    """The application's password hasher."""
    return cast("Passwords", current_request().app.extensions["passwords"])


def keyed_hashes() -> KeyedHashes:
    """The application's hashes of e-mail keys and addresses."""
    return cast("KeyedHashes", current_request().app.extensions["keyed_hashes"])


def new_hash(password: str) -> str:
    """The hash to store for a new password; raises Unavailable where too many are hashed."""
    with passwords().turn():
        return passwords().hash(password)


def encryption() -> Encryption:
    """The application's encryption of secrets in the database."""
    return cast("Encryption", current_request().app.extensions["encryption"])


def check_login(email_key: str, password: str, code: str | None) -> FoundCredential:
    """The account that e-mail, password and code belong to.

    Raises InvalidCredentials: an unknown e-mail, a disabled account and a wrong password take the
    same time. Raises SecondFactorRequired for a right password without a right code.
    """
    passwords().require_room()
    user = repository.find_credential(email_key, address_hashes())
    password_hash = None if user is None or user.is_disabled else user.password_hash
    is_known = user is not None and user.is_known_address
    with _attempt(_counters(email_key, is_known=is_known)):
        is_right = _is_right(password, password_hash)
        if user is None or password_hash is None or not is_right:
            raise InvalidCredentials
        factor = repository.get_second_factor(user.id)
        if factor is not None and factor.is_on:
            _check_code(user.id, factor, code)
    return user


def _check_code(owner_id: Uuid, factor: SecondFactor, code: str | None) -> None:
    if not code:
        raise SecondFactorRequired
    if not use_code(encryption(), owner_id, factor, code):
        raise WrongCode


def get_credential() -> Credential:
    """What the authenticated user's password is checked against; 401 where the account is gone."""
    user = repository.get_credential(identity().owner_id, address_hashes())
    if user is None:
        raise Unauthenticated(invalid=True)
    return user


def prove(user: Credential, password: str, field: str) -> Proof:
    """Proof that the authenticated user knows the password; 422 on `field` for a wrong one."""
    with _attempt(_own_counters(user)):
        _check_password(user, password, field)
    return Proof(identity().session_id, user.password_changed_at)


def check_removal(user: Credential, password: str, code: str) -> None:
    """Checks both factors of the authenticated user; 422 on the first that is wrong."""
    factor = repository.get_second_factor(identity().owner_id)
    if factor is None or not factor.is_on:
        raise ValidationFailed(details=[IS_OFF])
    with _attempt(_own_counters(user)):
        _check_password(user, password, "password")
        if not use_code(encryption(), identity().owner_id, factor, code):
            raise ValidationFailed(details=[WRONG_CODE])


def check_first_code(user: Credential, factor: SecondFactor, code: str) -> int:
    """The step of the code that confirms a second factor; 422 for a wrong one."""
    with _attempt(_own_counters(user)):
        step = confirming_step(encryption(), identity().owner_id, factor, code)
        if step is None:
            raise ValidationFailed(details=[WRONG_CODE])
    return step


def _check_password(user: Credential, password: str, field: str) -> None:
    if not _is_right(password, user.password_hash):
        raise ValidationFailed(details=[{"field": field, "message": "Is not your password."}])


def address_hashes() -> list[bytes]:
    """The client's address, hashed with each key, the newest first."""
    return keyed_hashes().address(current_request().remote_addr)


def _is_right(password: str, password_hash: str | None) -> bool:
    with passwords().turn():
        return passwords().verify(password, password_hash)


@contextmanager
def _attempt(counters: Sequence[AttemptCounter]) -> Iterator[None]:
    """Counts an attempt as wrong before the block checks it; raises RateLimited where throttled.

    Each statement commits by itself: what was counted stays so, whatever becomes of the request. A
    right attempt resets the counter; one that guessed nothing is as if it had not been made.
    """
    throttled = repository.count_attempt(counters)
    if throttled is not None:
        if throttled.is_first:
            repository.record_refusal(counters[-1], "throttled")
        raise RateLimited(throttled.wait)
    try:
        yield
    except (InvalidCredentials, WrongCode, ValidationFailed):
        repository.record_refusal(counters[-1], "refused")
        raise
    except (SecondFactorRequired, Unavailable):
        repository.undo_attempt(counters, is_right=False)
        raise
    repository.undo_attempt(counters, is_right=True)


def _own_counters(user: Credential) -> list[AttemptCounter]:
    return _counters(user.email_key, is_known=user.is_known_address)


def _counters(email_key: str, *, is_known: bool) -> list[AttemptCounter]:
    address = current_request().remote_addr
    return keyed_hashes().counters(email_key, address, is_known=is_known)

"""Checking passwords: counted, throttled, and hashed in the queue of app.auth.passwords."""

from collections.abc import Sequence
from typing import cast

from app.auth import repository
from app.auth.login_throttle import KeyedHashes
from app.auth.passwords import Passwords
from app.auth.repository import AttemptCounter, Credential, FoundCredential, Proof
from app.errors import (
    InvalidCredentials,
    RateLimited,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
)
from app.http.request import current_request, identity


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


def check_login(email_key: str, password: str) -> FoundCredential:
    """The account that e-mail and password belong to; raises InvalidCredentials.

    An unknown e-mail, a disabled account and a wrong password take the same time.
    """
    passwords().require_room()
    user = repository.find_credential(email_key, address_hashes())
    password_hash = None if user is None or user.is_disabled else user.password_hash
    is_known = user is not None and user.is_known_address
    is_right = _is_right(password, password_hash, _counters(email_key, is_known=is_known))
    if user is None or password_hash is None or not is_right:
        raise InvalidCredentials
    return user


def get_credential() -> Credential:
    """What the authenticated user's password is checked against; 401 where the account is gone."""
    user = repository.get_credential(identity().owner_id, address_hashes())
    if user is None:
        raise Unauthenticated(invalid=True)
    return user


def prove(user: Credential, password: str, field: str) -> Proof:
    """Proof that the authenticated user knows the password; 422 on `field` for a wrong one."""
    counters = _counters(user.email_key, is_known=user.is_known_address)
    if not _is_right(password, user.password_hash, counters):
        raise ValidationFailed(details=[{"field": field, "message": "Is not your password."}])
    return Proof(identity().session_id, user.password_changed_at)


def address_hashes() -> list[bytes]:
    """The client's address, hashed with each key, the newest first."""
    return keyed_hashes().address(current_request().remote_addr)


def _is_right(password: str, password_hash: str | None, counters: Sequence[AttemptCounter]) -> bool:
    """Checks a password after counting it as wrong; raises RateLimited where it is throttled."""
    throttled = repository.count_attempt(counters)
    if throttled is not None:
        if throttled.is_first:
            repository.record_refusal(counters[-1], "throttled")
        raise RateLimited(throttled.wait)
    try:
        with passwords().turn():
            is_right = passwords().verify(password, password_hash)
    except Unavailable:
        repository.undo_attempt(counters, is_right=False)
        raise
    if is_right:
        repository.undo_attempt(counters, is_right=True)
    else:
        repository.record_refusal(counters[-1], "refused")
    return is_right


def _counters(email_key: str, *, is_known: bool) -> list[AttemptCounter]:
    address = current_request().remote_addr
    return keyed_hashes().counters(email_key, address, is_known=is_known)

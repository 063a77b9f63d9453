"""/api/auth: accounts, and the sessions that they are logged in with."""

from collections.abc import Sequence
from typing import Any, cast

import orjson
from flask import Blueprint, Response, current_app, request

from app import web
from app.auth import refresh, repository
from app.auth.access import access_tokens, authenticate
from app.auth.guesses import Counter, Fingerprints
from app.auth.passwords import Passwords
from app.auth.refresh import RefreshToken
from app.auth.repository import Proof
from app.auth.schemas import (
    ERASURE,
    LOGIN,
    PASSWORD_CHANGE,
    REFRESH_TOKEN,
    REGISTRATION,
    email_key,
)
from app.auth.tokens import LIFETIME
from app.errors import (
    InvalidCredentials,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
)
from app.fields import canonical_uuid, new_uuid

LONGEST_USER_AGENT = 512  # characters kept

LOG_IN_AGAIN = "The session has ended, or never was; log in again"

blueprint = Blueprint("auth", __name__, url_prefix="/api/auth")
account = Blueprint("account", __name__, url_prefix="/api/auth")
account.before_request(authenticate)


@blueprint.post("/register")
def register() -> Response:
    body = web.read_body(REGISTRATION)
    web.read_query()
    user = repository.register(body["email"], email_key(body["email"]), _new_hash(body["password"]))
    return web.success(orjson.dumps(_user(user)), status=201)


@blueprint.post("/login")
def login() -> Response:
    body = web.read_body(LOGIN)
    web.read_query()
    _passwords().require_room()
    key, addresses = email_key(body["email"]), _fingerprints().address(request.remote_addr)
    user = repository.find_credential(key, addresses)
    password_hash = None if user is None or user.is_disabled else user.password_hash
    counters = _counters(key, is_known=user is not None and user.is_known_address)
    is_right = _is_right(body["password"], password_hash, counters)
    if user is None or password_hash is None or not is_right:
        raise InvalidCredentials
    token = refresh.new(user.id, new_uuid())
    if not repository.start_session(
        token,
        user_agent=_user_agent(),
        address_hash=addresses[0],
        password_changed_at=user.password_changed_at,
    ):
        raise InvalidCredentials
    return _session(token, user)


@blueprint.post("/refresh")
def refresh_session() -> Response:
    token = refresh.parse(web.read_body(REFRESH_TOKEN)["refresh_token"])
    web.read_query()
    if token is None:
        raise Unauthenticated(LOG_IN_AGAIN, invalid=True)
    successor = token.successor(_refresh_keys()[0])
    user = repository.rotate_token(token, successor)
    if user is None:
        successor = _successor_in_grace(token)
        user = repository.get_user(token.owner_id)
    if user is None:
        raise Unauthenticated(LOG_IN_AGAIN, invalid=True)
    return _session(successor, user)


@blueprint.post("/logout")
def logout() -> Response:
    token = refresh.parse(web.read_body(REFRESH_TOKEN)["refresh_token"])
    web.read_query()
    if token is not None and token.hash in repository.list_tokens(token):
        repository.end_session(token.owner_id, token.session_id)
    return web.success(b"null")


@account.get("/me")
def get_me() -> Response:
    web.read_query()
    user = repository.get_user(web.owner_id())
    if user is None:
        raise Unauthenticated(invalid=True)
    return web.success(orjson.dumps(_user(user)))


@account.put("/password")
def change_password() -> Response:
    body = web.read_body(PASSWORD_CHANGE)
    web.read_query()
    proof = _prove(_credential(), body["current_password"], "current_password")
    new_password_hash = _new_hash(body["new_password"])
    if not repository.change_password(web.owner_id(), proof, new_password_hash):
        raise Unauthenticated(LOG_IN_AGAIN, invalid=True)
    return web.success(b"null")


@account.delete("/me")
def erase_me() -> Response:
    body = web.read_body(ERASURE)
    web.read_query()
    user = _credential()
    proof = _prove(user, body["password"], "password")
    accounts = _fingerprints().account(user.email_key)
    removed = repository.erase_user(web.owner_id(), proof, accounts)
    if removed is None:
        raise Unauthenticated(LOG_IN_AGAIN, invalid=True)
    return web.success(orjson.dumps(removed))


@account.get("/sessions")
def list_sessions() -> Response:
    web.read_query()
    current = web.identity().session_id
    sessions = [
        {**row._asdict(), "current": row.id == current}
        for row in repository.list_sessions(web.owner_id())
    ]
    return web.success(orjson.dumps(sessions))


@account.delete("/sessions/<session_id>")
def end_session(session_id: str) -> Response:
    web.read_nothing()
    known_id = canonical_uuid(session_id)
    if known_id is None or not repository.end_session(web.owner_id(), known_id):
        raise NotFound
    return web.success(b"null")


# --- passwords ----------------------------------------------------------------------------------


def _credential() -> Any:
    """What the caller's password is checked against; 401 where the account is gone."""
    addresses = _fingerprints().address(request.remote_addr)
    user = repository.get_credential(web.owner_id(), addresses)
    if user is None:
        raise Unauthenticated(invalid=True)
    return user


def _prove(user: Any, password: str, field: str) -> Proof:
    """The caller's proof that the account is theirs; 422 on `field` for a wrong password."""
    counters = _counters(user.email_key, is_known=user.is_known_address)
    if not _is_right(password, user.password_hash, counters):
        raise ValidationFailed(details=[{"field": field, "message": "Is not your password."}])
    return Proof(web.identity().session_id, user.password_changed_at)


def _is_right(password: str, password_hash: str | None, counters: Sequence[Counter]) -> bool:
    """Checks a password that was counted as a wrong guess before; 429 where it has to wait."""
    wait = repository.count_guess(counters)
    if wait:
        repository.note_refusal(counters[-1], "held up")
        raise RateLimited(wait)
    try:
        with _passwords().turn():
            is_right = _passwords().verify(password, password_hash)
    except Unavailable:
        repository.take_guess_back(counters, is_right=False)
        raise
    if is_right:
        repository.take_guess_back(counters, is_right=True)
    else:
        repository.note_refusal(counters[-1], "refused")
    return is_right


def _new_hash(password: str) -> str:
    with _passwords().turn():
        return _passwords().hash(password)


def _counters(email_key: str, *, is_known: bool) -> list[Counter]:
    return _fingerprints().counters(email_key, request.remote_addr, is_known=is_known)


# --- sessions -----------------------------------------------------------------------------------


def _successor_in_grace(token: RefreshToken) -> RefreshToken:
    """The newest successor of a token spent just now; a later reuse ends the session."""
    known = repository.list_tokens(token)
    presented = known.get(token.hash)
    if presented is None or not presented.is_spent:
        raise Unauthenticated(LOG_IN_AGAIN, invalid=True)
    if not presented.is_in_grace:
        repository.end_session(token.owner_id, token.session_id)
        raise Unauthenticated(LOG_IN_AGAIN, invalid=True)
    is_spent = {token_hash: row.is_spent for token_hash, row in known.items()}
    successor = refresh.newest(token, _refresh_keys(), is_spent)
    if successor is None:
        raise Unauthenticated(LOG_IN_AGAIN, invalid=True)
    return successor


def _session(token: RefreshToken, user: Any) -> Response:
    body = {
        "access_token": access_tokens().issue(token.owner_id, token.session_id),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "refresh_token": token.text,
        "user": _user(user),
    }
    return web.success(orjson.dumps(body))


def _user(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "email": row.email,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _user_agent() -> str | None:
    agent = request.headers.get("User-Agent", "").replace("\x00", "")
    return agent[:LONGEST_USER_AGENT] or None


def _passwords() -> Passwords:
    return cast("Passwords", current_app.extensions["passwords"])


def _fingerprints() -> Fingerprints:
    return cast("Fingerprints", current_app.extensions["fingerprints"])


def _refresh_keys() -> list[bytes]:
    return cast("list[bytes]", current_app.config["REFRESH_KEYS"])

"""/api/auth: accounts, and the sessions that they are logged in with."""

from typing import Any, cast
from uuid import uuid4

import orjson
from flask import Blueprint, Response, current_app, request

from app import web
from app.auth import refresh, repository
from app.auth.access import access_tokens, authenticate
from app.auth.passwords import Passwords
from app.auth.refresh import RefreshToken
from app.auth.schemas import LOGIN, REFRESH_TOKEN, REGISTRATION, email_key
from app.auth.tokens import LIFETIME
from app.errors import InvalidCredentials, Unauthenticated

LONGEST_USER_AGENT = 512  # characters kept
CHAIN = 8  # successors of one token that can have been spent within its ten seconds of grace

blueprint = Blueprint("auth", __name__, url_prefix="/api/auth")
account = Blueprint("account", __name__, url_prefix="/api/auth")
account.before_request(authenticate)


@blueprint.post("/register")
def register() -> Response:
    body = web.read_body(REGISTRATION)
    password_hash = _passwords().hash(body["password"])
    user = repository.register(body["email"], email_key(body["email"]), password_hash)
    return web.success(orjson.dumps(_user(user)), status=201)


@blueprint.post("/login")
def login() -> Response:
    body = web.read_body(LOGIN)
    user = repository.find_credential(email_key(body["email"]))
    is_right = _passwords().verify(body["password"], user.password_hash if user else None)
    if user is None or not is_right:
        raise InvalidCredentials
    token = refresh.new(user.id, uuid4())
    if not repository.start_session(token, _user_agent()):
        raise InvalidCredentials
    return _session(token, user)


@blueprint.post("/refresh")
def refresh_session() -> Response:
    token = refresh.parse(web.read_body(REFRESH_TOKEN)["refresh_token"])
    if token is None:
        raise Unauthenticated(invalid=True)
    successor = token.successor(_refresh_keys()[0])
    user = repository.rotate_token(token, successor)
    if user is None:
        successor = _successor_in_grace(token)
        user = repository.get_user(token.owner_id)
    if user is None:
        raise Unauthenticated(invalid=True)
    return _session(successor, user)


@blueprint.post("/logout")
def logout() -> Response:
    token = refresh.parse(web.read_body(REFRESH_TOKEN)["refresh_token"])
    if token is not None and repository.find_token(token) is not None:
        repository.end_session(token.owner_id, token.session_id)
    return web.success(b"null")


@account.get("/me")
def get_me() -> Response:
    web.read_query()
    user = repository.get_user(web.owner_id())
    if user is None:
        raise Unauthenticated(invalid=True)
    return web.success(orjson.dumps(_user(user)))


def _successor_in_grace(token: RefreshToken) -> RefreshToken:
    """The newest unspent successor of a token spent just now; a later reuse ends the session."""
    known = repository.find_token(token)
    if known is not None and known.is_spent and not known.is_in_grace:
        repository.end_session(token.owner_id, token.session_id)
    if known is None or not known.is_spent or not known.is_in_grace:
        raise Unauthenticated(invalid=True)
    for _ in range(CHAIN):
        candidates = [token.successor(key) for key in _refresh_keys()]
        found = [(each, repository.find_token(each)) for each in candidates]
        token, state = next((pair for pair in found if pair[1] is not None), (token, None))
        if state is None:
            break
        if not state.is_spent:
            return token
    raise Unauthenticated(invalid=True)


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


def _refresh_keys() -> list[bytes]:
    return cast("list[bytes]", current_app.config["REFRESH_KEYS"])

"""Who may pass: the bearer token, and the user that the path names."""

from typing import cast

from flask import current_app, g, request

from app.auth.revocations import Revocations
from app.auth.tokens import AccessTokens
from app.errors import Forbidden, NotFound, Unauthenticated
from app.fields import canonical_uuid
from app.web import Identity


def access_tokens() -> AccessTokens:
    return cast("AccessTokens", current_app.extensions["access_tokens"])


def authenticate() -> None:
    """Sets the caller's identity: 401 without a valid token, 403 for somebody else's path."""
    caller = access_tokens().verify(_bearer_token())
    revocations = cast("Revocations", current_app.extensions["revocations"])
    if revocations.is_ended(caller.session_id):
        raise Unauthenticated(invalid=True)
    g.identity = caller
    _check_path(caller)


def take_path_user(endpoint: str | None, values: dict[str, str] | None) -> None:
    """Keeps {user_id} for `authenticate`: no view sees it, so that none can trust it."""
    if values is not None:
        g.path_user = values.pop("user_id", "me")


def _bearer_token() -> str:
    """The token of the one Authorization header; nowhere else is looked for one."""
    header = request.headers.get("Authorization")
    if header is None:
        raise Unauthenticated
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(invalid=True)
    return token


def _check_path(caller: Identity) -> None:
    user_id = g.get("path_user", "me")
    if user_id in ("me", str(caller.owner_id)):
        return
    if canonical_uuid(user_id) is None:
        raise NotFound
    raise Forbidden

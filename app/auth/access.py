"""Who may pass: the bearer token, and the user that the path names."""

from typing import cast

from app import web
from app.auth.revocations import Revocations
from app.auth.tokens import AccessTokens
from app.errors import Forbidden, NotFound, Unauthenticated
from app.fields import canonical_uuid


def access_tokens() -> AccessTokens:
    return cast("AccessTokens", web.this_request().app.extensions["access_tokens"])


def authenticate() -> None:
    """Sets the caller's identity: 401 without a valid token, 403 for somebody else's path."""
    request = web.this_request()
    revocations: Revocations = request.app.extensions["revocations"]
    caller = access_tokens().verify(_bearer_token(request))
    if revocations.is_ended(caller.session_id):
        raise Unauthenticated(invalid=True)
    request.identity = caller
    _check_path(request.path_user, caller)


def take_path_user(endpoint: str | None, values: dict[str, str] | None) -> None:
    """Keeps {user_id} for `authenticate`: no view sees it, so that none can trust it."""
    if values is not None:
        web.this_request().path_user = values.pop("user_id", "me")


def _bearer_token(request: web.Request) -> str:
    """The token of the one Authorization header; nowhere else is looked for one."""
    header: str | None = request.environ.get("HTTP_AUTHORIZATION")
    if header is None:
        raise Unauthenticated
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(invalid=True)
    return token


def _check_path(user_id: str, caller: web.Identity) -> None:
    if user_id in ("me", caller.owner_id):
        return
    if canonical_uuid(user_id) is None:
        raise NotFound
    raise Forbidden

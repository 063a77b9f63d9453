"""Authentication by bearer token, and the check that the path names the token's user."""

from typing import cast

from app.auth.access_tokens import AccessTokens
from app.auth.ended_sessions import EndedSessions
from app.auth.known_sessions import KnownSessions
from app.errors import Forbidden, NotFound, Unauthenticated
from app.http.authorization import bearer_token
from app.http.request import current_request
from app.values import Identity, canonical_uuid


def access_tokens() -> AccessTokens:
    """The application's issuer and verifier of access tokens."""
    return cast("AccessTokens", current_request().app.extensions["access_tokens"])


def authenticate() -> None:
    """Sets the request's identity: 401 without a valid token, 403 for another user's path."""
    request = current_request()
    ended: EndedSessions = request.app.extensions["ended_sessions"]
    caller = access_tokens().verify(bearer_token(request))
    known: KnownSessions = request.app.extensions["known_sessions"]
    if ended.contains(caller.session_id) or not known.contains(caller):
        raise Unauthenticated(invalid=True)
    request.identity = caller
    _check_path(request.path_user, caller)


def take_path_user(endpoint: str | None, values: dict[str, str] | None) -> None:
    """Keeps {user_id} for `authenticate`; views don't get it, so that none can trust it."""
    if values is not None:
        current_request().path_user = values.pop("user_id", "me")


def _check_path(user_id: str, caller: Identity) -> None:
    if user_id in ("me", caller.owner_id):
        return
    if canonical_uuid(user_id) is None:
        raise NotFound
    raise Forbidden

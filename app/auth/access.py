"""Authentication by bearer token, and the check that the path names the token's user."""

from typing import cast

from app.auth.access_tokens import AccessTokens
from app.auth.api_tokens import PREFIX, ApiTokens
from app.auth.ended_sessions import EndedSessions
from app.auth.remembered import Remembered
from app.auth.repository import has_session, is_verified
from app.auth.scopes import OPERATIONS, SCOPES, SESSION, TASKS_ANY, suffice
from app.errors import EmailNotVerified, Forbidden, InsufficientScope, NotFound, Unauthenticated
from app.http.authorization import bearer_token
from app.http.request import current_request, identity, owner_id
from app.values import Identity, Uuid, canonical_uuid


def access_tokens() -> AccessTokens:
    """The application's issuer and verifier of access tokens."""
    return cast("AccessTokens", current_request().app.extensions["access_tokens"])


def authenticate() -> None:
    """Identifies the caller; 403 for an address that has to be verified first and is not."""
    identify()
    request = current_request()
    verified: Remembered[Uuid] | None = request.app.extensions["verified_accounts"]
    if verified is not None and not verified.contains(owner_id(), is_verified):
        raise EmailNotVerified


def identify() -> None:
    """Sets the request's identity: 401 without a valid token.

    403 for another user's path, or an operation that is beyond the scopes of an API token.
    """
    request = current_request()
    request.identity = caller = _verify(bearer_token(request))
    _check_path(request.path_user, caller)
    if caller.scopes is not None:
        _check_scope(request.endpoint, caller.scopes)


def _verify(token: str) -> Identity:
    """Whose token it is; an API token was found together with its session."""
    extensions = current_request().app.extensions
    ended: EndedSessions = extensions["ended_sessions"]
    known: Remembered[Identity] = extensions["known_sessions"]
    if token.startswith(PREFIX):
        api_tokens: ApiTokens = extensions["api_tokens"]
        caller = api_tokens.verify(token)
    else:
        caller = access_tokens().verify(token)
    if ended.contains(caller.session_id):
        raise Unauthenticated(invalid=True)
    if caller.scopes is None and not known.contains(caller, has_session):
        raise Unauthenticated(invalid=True)
    return caller


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


def _check_scope(endpoint: str | None, scopes: frozenset[str]) -> None:
    needed = OPERATIONS.get(endpoint or "", SESSION)
    if not suffice(scopes, needed):
        raise InsufficientScope(needed if needed in (*SCOPES, TASKS_ANY) else None)


def require(operation: str) -> None:
    """Raises InsufficientScope where the caller may not do the operation of that endpoint."""
    caller = identity()
    if caller.scopes is not None:
        _check_scope(operation, caller.scopes)

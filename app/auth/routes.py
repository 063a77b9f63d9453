"""/api/auth: accounts and their sessions."""

from contextlib import suppress
from typing import cast

import orjson

from app.auth import cookies, repository
from app.auth.access import access_tokens, identify
from app.auth.access_tokens import LIFETIME
from app.auth.api_tokens import new_token, token_hash
from app.auth.credentials import (
    address_hashes,
    check_first_code,
    check_login,
    check_removal,
    encryption,
    get_credential,
    keyed_hashes,
    new_hash,
    prove,
)
from app.auth.link_routes import LOG_IN_AGAIN, mailed_links
from app.auth.mailed_links import Purpose
from app.auth.refresh_tokens import RefreshToken, RefreshTokens, parse
from app.auth.repository import TokenState, User
from app.auth.schemas import (
    COOKIE_QUERY,
    ERASURE,
    LOGIN,
    NEW_TOKEN,
    NOTHING,
    PASSWORD_CHANGE,
    REFRESH_TOKEN,
    REGISTRATION,
    SECOND_FACTOR_CODE,
    SECOND_FACTOR_REMOVAL,
    SECOND_FACTOR_SETUP,
    USER_CHANGES,
    email_key,
)
from app.auth.second_factor import new_factor, recovery_hashes, seal
from app.errors import InvalidCredentials, NotFound, Unauthenticated, ValidationFailed
from app.http.body import read_body, read_nothing
from app.http.dispatch import DirectBlueprint
from app.http.query import read_query
from app.http.request import current_request, identity, owner_id
from app.http.responses import JsonResponse, success
from app.values import canonical_uuid, new_uuid

LONGEST_USER_AGENT = 512  # characters kept

blueprint = DirectBlueprint("auth", __name__, url_prefix="/api/auth")
account = DirectBlueprint("account", __name__, url_prefix="/api/auth")
account.before_request(identify)


@blueprint.post("/register")
def register() -> JsonResponse:
    """Creates an account."""
    body = read_body(REGISTRATION)
    key, password_hash = email_key(body["email"]), new_hash(body["password"])
    new_id, email = new_uuid(), body["email"]
    link = mailed_links().make(Purpose.VERIFY, new_id, email)
    user = repository.register(new_id, email, key, password_hash, body["time_zone"], link)
    return success(orjson.dumps(user._asdict()), status=201)


@blueprint.post("/login")
def login() -> JsonResponse:
    """Starts a session."""
    is_kept = cookies.uses_cookie()
    body = read_body(LOGIN, query=COOKIE_QUERY)
    found = check_login(email_key(body["email"]), body["password"], body.get("code"))
    token = _refresh_tokens().first(found.id, new_uuid())
    is_started = repository.start_session(
        token,
        user_agent=_user_agent(),
        address_hash=address_hashes()[0],
        password_changed_at=found.password_changed_at,
    )
    user = repository.get_user(found.id) if is_started else None
    if user is None:
        raise InvalidCredentials
    return _session(token, user, is_kept=is_kept)


@blueprint.post("/refresh")
def refresh_session() -> JsonResponse:
    """Replaces a refresh token, and issues an access token."""
    is_kept = cookies.uses_cookie()
    token = _given_token(is_kept=is_kept)
    renewed = None if token is None else _renewed(token)
    if renewed is None:
        error = Unauthenticated(LOG_IN_AGAIN, invalid=True)
        error.headers.update([cookies.CLEARED] if is_kept else [])
        raise error
    return _session(*renewed, is_kept=is_kept)


@blueprint.post("/logout")
def logout() -> JsonResponse:
    """Ends the session of a refresh token; succeeds where it had ended already (RFC 7009)."""
    is_kept = cookies.uses_cookie()
    token = _given_token(is_kept=is_kept)
    if token is not None and _was_issued(token, repository.get_token_state(token)):
        repository.end_session(token.owner_id, token.session_id)
    response = success(b"null")
    response.headers.extend([cookies.CLEARED] if is_kept else [])
    return response


@account.get("/me")
def get_me() -> JsonResponse:
    """The authenticated user's account."""
    read_query()
    return success(orjson.dumps(_existing_user()._asdict()))


@account.patch("/me")
def update_me() -> JsonResponse:
    """Changes settings of the account; what depends on the clock follows it."""
    body = read_body(USER_CHANGES)
    user = repository.update_user(owner_id(), body)
    if user is None:
        raise Unauthenticated(invalid=True)
    if body.keys() & {"time_zone", "reminder_time"}:
        for kind in current_request().app.extensions["kinds"].values():
            kind.follow_clock(owner_id())
    return success(orjson.dumps(user._asdict()))


@account.put("/password")
def change_password() -> JsonResponse:
    """Replaces the password, and ends every other session."""
    body = read_body(PASSWORD_CHANGE)
    proof = prove(get_credential(), body["current_password"], "current_password")
    if not repository.change_password(owner_id(), proof, new_hash(body["new_password"])):
        raise Unauthenticated(LOG_IN_AGAIN, invalid=True)
    return success(b"null")


@account.delete("/me")
def erase_me() -> JsonResponse:
    """Erases the account with all its rows; answers with their numbers."""
    body = read_body(ERASURE)
    user = get_credential()
    proof = prove(user, body["password"], "password")
    key = user.email_key
    hashes = [*keyed_hashes().account(key), *keyed_hashes().mailed(key)]
    kinds = current_request().app.extensions["kinds"].values()
    plurals = {kind.name: kind.plural for kind in kinds}
    removed = repository.erase_user(owner_id(), proof, key, hashes, plurals)
    if removed is None:
        raise Unauthenticated(LOG_IN_AGAIN, invalid=True)
    return success(orjson.dumps(removed))


@account.post("/second-factor")
def set_up_second_factor() -> JsonResponse:
    """Makes a second factor, shown this once; it is off until a code confirms it."""
    body = read_body(SECOND_FACTOR_SETUP)
    prove(get_credential(), body["password"], "password")
    factor = new_factor(_existing_user().email)
    sealed = seal(encryption(), owner_id(), factor.secret)
    repository.set_up_second_factor(identity(), sealed, recovery_hashes(factor.recovery_codes))
    return success(orjson.dumps(factor._asdict()))


@account.post("/second-factor/confirm")
def confirm_second_factor() -> JsonResponse:
    """Switches the second factor on."""
    body, factor = read_body(SECOND_FACTOR_CODE), repository.get_second_factor(owner_id())
    if factor is None or factor.is_on:
        raise ValidationFailed(details=[repository.NOT_SET_UP])
    step = check_first_code(get_credential(), factor, body["code"])
    user = repository.confirm_second_factor(identity(), factor.created_at, step)
    return success(orjson.dumps(user._asdict()))


@account.delete("/second-factor")
def remove_second_factor() -> JsonResponse:
    """Switches the second factor off, and forgets it."""
    body = read_body(SECOND_FACTOR_REMOVAL)
    check_removal(get_credential(), body["password"], body["code"])
    repository.remove_second_factor(owner_id())
    return success(orjson.dumps(_existing_user()._asdict()))


@account.get("/sessions")
def list_sessions() -> JsonResponse:
    """The user's living sessions."""
    read_query()
    current = identity().session_id
    sessions = [
        {**row._asdict(), "current": row.id == current}
        for row in repository.list_sessions(owner_id())
    ]
    return success(orjson.dumps(sessions))


@account.delete("/sessions/<session_id>")
def end_session(session_id: str) -> JsonResponse:
    """Ends one of the user's sessions."""
    read_nothing()
    known_id = canonical_uuid(session_id)
    if known_id is None or not repository.end_session(owner_id(), known_id):
        raise NotFound
    return success(b"null")


@account.get("/tokens")
def list_tokens() -> JsonResponse:
    """The user's living API tokens, without what they are."""
    read_query()
    tokens = [token._asdict() for token in repository.list_tokens(owner_id())]
    return success(orjson.dumps(tokens))


@account.post("/tokens")
def create_token() -> JsonResponse:
    """Makes an API token, and shows it this once."""
    body, token = read_body(NEW_TOKEN), new_token()
    made = repository.create_token(identity(), token_hash(token), **body)
    return success(orjson.dumps({**made._asdict(), "token": token}), status=201)


@account.delete("/tokens/<token_id>")
def end_token(token_id: str) -> JsonResponse:
    """Ends one of the user's API tokens."""
    read_nothing()
    known_id = canonical_uuid(token_id)
    if known_id is None or not repository.end_token(owner_id(), known_id):
        raise NotFound
    return success(b"null")


def _existing_user() -> User:
    """The authenticated user's account; 401 where it is gone."""
    user = repository.get_user(owner_id())
    if user is None:
        raise Unauthenticated(invalid=True)
    return user


def _given_token(*, is_kept: bool) -> RefreshToken | None:
    """The refresh token in the body or, with `is_kept`, in the cookie; None where it is none."""
    if is_kept:
        read_body(NOTHING, optional=True, query=COOKIE_QUERY)
        return parse(cookies.kept_token())
    return parse(read_body(REFRESH_TOKEN, query=COOKIE_QUERY)["refresh_token"])


def _renewed(token: RefreshToken) -> tuple[RefreshToken, User] | None:
    """The token that follows, and its user; None where the session has ended, or never was."""
    successor = _refresh_tokens().successor(token)
    user = repository.rotate_token(token, successor)
    if user is not None:
        return successor, user
    newest = _newest_in_grace(token)
    user = None if newest is None else repository.get_user(token.owner_id)
    return None if newest is None or user is None else (newest, user)


def _newest_in_grace(token: RefreshToken) -> RefreshToken | None:
    """The session's current token for one that was used within the grace time.

    None for any other; one that was used before the grace time ends the session.
    """
    state = repository.get_token_state(token)
    if state is None or token.number >= state.number or not _was_issued(token, state):
        return None
    if token.number >= state.grace_number:
        return _refresh_tokens().find(token, state.number, state.token_hash)
    repository.end_session(token.owner_id, token.session_id)
    return None


def _was_issued(token: RefreshToken, state: TokenState | None) -> bool:
    """Whether the token is one of its session's, by its signature or a stored hash.

    The hashes are for the newest two tokens, whose key may have been removed since.
    """
    stored = () if state is None else (state.token_hash, state.parent_hash)
    return token.hash in stored or _refresh_tokens().is_genuine(token)


def _session(token: RefreshToken, user: User, *, is_kept: bool) -> JsonResponse:
    """The session's tokens; the refresh token in the body or, with `is_kept`, in the cookie."""
    body = {
        "access_token": access_tokens().issue(token.owner_id, token.session_id),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        **({} if is_kept else {"refresh_token": token.text}),
        "user": user._asdict(),
    }
    response = success(orjson.dumps(body))
    response.headers.extend([cookies.keep(token)] if is_kept else [])
    return response


def _user_agent() -> str | None:
    """The User-Agent; WSGI has its bytes as latin-1, although most clients send UTF-8."""
    agent = current_request().header("USER_AGENT") or ""
    with suppress(UnicodeError):
        agent = agent.encode("latin-1").decode()
    return agent.replace("\x00", "")[:LONGEST_USER_AGENT] or None


def _refresh_tokens() -> RefreshTokens:
    return cast("RefreshTokens", current_request().app.extensions["refresh_tokens"])

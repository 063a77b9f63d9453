"""Accounts, sessions and the counters of login attempts. Each function is one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from app import db
from app.auth.encryption import Sealed
from app.auth.refresh_tokens import RefreshToken
from app.errors import EmailTaken, NotFound, Unauthenticated, UnusableLink, ValidationFailed
from app.mail.messages import Message
from app.mail.repository import enqueue
from app.values import Identity, Uuid, new_uuid


class User(NamedTuple):
    """An account as its owner sees it; times are RFC 3339 in UTC."""

    id: Uuid
    email: str
    email_verified_at: str | None
    time_zone: str
    reminder_time: str
    mail: bool
    has_second_factor: bool
    created_at: str
    updated_at: str


class Clock(NamedTuple):
    """An owner's zone, and the local time from which reminders of all-day tasks count."""

    time_zone: str
    reminder_time: str


class FoundCredential(NamedTuple):
    """The account of an e-mail, with what a log-in is checked against."""

    id: Uuid
    email: str
    created_at: str
    updated_at: str
    is_disabled: bool
    password_hash: str
    password_changed_at: datetime
    is_known_address: bool


class Credential(NamedTuple):
    """What the password of an authenticated user is checked against."""

    email_key: str
    password_hash: str
    password_changed_at: datetime
    is_known_address: bool


class Account(NamedTuple):
    """An account as an operator sees it."""

    id: Uuid
    email: str
    email_key: str
    created_at: str
    disabled_at: str | None


class FoundSession(NamedTuple):
    """A session that has not been ended."""

    id: Uuid


class TokenState(NamedTuple):
    """A session's current refresh token and its parent; used ones in grace from grace_number on."""

    number: int
    token_hash: bytes
    parent_hash: bytes | None
    grace_number: int


class Session(NamedTuple):
    """A living session."""

    id: Uuid
    created_at: str
    last_used_at: str
    user_agent: str | None


class FoundToken(NamedTuple):
    """An API token by its hash; its id is that of its session."""

    owner_id: Uuid
    id: Uuid
    scopes: list[str]
    expires_at: datetime | None


class ApiToken(NamedTuple):
    """An API token as its owner sees it; times are RFC 3339 in UTC."""

    id: Uuid
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    last_used_at: str | None


class SecondFactor(NamedTuple):
    """A second factor that was set up then; its secret is encrypted with the key of that id."""

    created_at: datetime
    is_on: bool
    key_id: str
    secret: bytes


class EndedSession(NamedTuple):
    """A session that ended lately."""

    session_id: Uuid


class Throttled(NamedTuple):
    """The whole seconds until the next attempt, and whether it is the first that has to wait."""

    wait: int
    is_first: bool


class OwnedRows(NamedTuple):
    """How many rows of one sort an erasure removes."""

    what: str
    number: int


class ErasedEvents(NamedTuple):
    """Rows of the audit trail that an erasure removed."""

    auth_events: int


class FoundLink(NamedTuple):
    """The address of the account that has the link."""

    email: str


class SentLink(NamedTuple):
    """What the token of a link is made of, and its hash."""

    seed: bytes
    hash: bytes


class ResetRequest(NamedTuple):
    """An address that a reset was asked for, and how long ago."""

    email_key: str
    lag: timedelta


REGISTER = db.load("auth/register", User)
CREATE_LEDGER = db.load("auth/create_ledger")
RECORD_REFUSAL = db.load("auth/record_refusal")
FIND_CREDENTIAL = db.load("auth/find_credential", FoundCredential)
GET_CREDENTIAL = db.load("auth/get_credential", Credential)
GET_USER = db.load("auth/get_user", User)
GET_CLOCK = db.load("auth/get_clock", Clock)
UPDATE_USER = db.load("auth/update_user", User)
LIST_USERS = db.load("auth/list_users", Account)
START_SESSION = db.load("auth/start_session")
ROTATE_TOKEN = db.load("auth/rotate_token", User)
GET_TOKEN_STATE = db.load("auth/get_token_state", TokenState)
LIST_SESSIONS = db.load("auth/list_sessions", Session)
FIND_SESSION = db.load("auth/find_session", FoundSession)
LIST_ENDED_SESSIONS = db.load("auth/list_ended_sessions", EndedSession)
END_SESSION = db.load("auth/end_session")
END_SESSIONS = db.load("auth/end_sessions")
LOCK_SESSION = db.load("auth/lock_session")
CREATE_TOKEN = db.load("auth/create_token", ApiToken)
LIST_TOKENS = db.load("auth/list_tokens", ApiToken)
FIND_TOKEN = db.load("auth/find_token", FoundToken)
NOTE_TOKEN_USE = db.load("auth/note_token_use")
SET_UP_SECOND_FACTOR = db.load("auth/set_up_second_factor")
GET_SECOND_FACTOR = db.load("auth/get_second_factor", SecondFactor)
CONFIRM_SECOND_FACTOR = db.load("auth/confirm_second_factor")
USE_STEP = db.load("auth/use_step")
USE_RECOVERY_CODE = db.load("auth/use_recovery_code")
REMOVE_SECOND_FACTOR = db.load("auth/remove_second_factor")
CHANGE_PASSWORD = db.load("auth/change_password")
SET_PASSWORD = db.load("auth/set_password")
DISABLE_USER = db.load("auth/disable_user")
ENABLE_USER = db.load("auth/enable_user")
ENSURE_COUNTERS = db.load("auth/ensure_counters")
COUNT_ATTEMPT = db.load("auth/count_attempt", Throttled)
UNDO_ATTEMPT = db.load("auth/undo_attempt")
RAISE_STATEMENT_TIMEOUT = db.load("auth/raise_statement_timeout")
LOCK_LEDGER = db.load("auth/lock_ledger")
LOCK_ACCOUNT = db.load("auth/lock_account")
COUNT_ACCOUNT = db.load("auth/count_account", OwnedRows)
COUNT_LEDGER = db.load("auth/count_ledger", OwnedRows)
ERASE_LEDGER = db.load("auth/erase_ledger")
ERASE_COUNTERS = db.load("auth/erase_counters")
ERASE_USER = db.load("auth/erase_user")
ERASE_EVENTS = db.load("auth/erase_events", ErasedEvents)
ISSUE_LINK = db.load("auth/issue_link")
SEND_LINK = db.load("auth/send_link", SentLink)
FIND_LINK = db.load("auth/find_link", FoundLink)
VERIFY_EMAIL = db.load("auth/verify_email", User)
CHANGE_EMAIL = db.load("auth/change_email", User)
RESET_PASSWORD = db.load("auth/reset_password")
MARK_VERIFIED = db.load("auth/mark_verified")
REQUEST_RESET = db.load("auth/request_reset")
LIST_RESET_REQUESTS = db.load("auth/list_reset_requests", ResetRequest)
DROP_RESET_REQUEST = db.load("auth/drop_reset_request")

COUNTED = (  # in count_account.sql and count_ledger.sql, besides the kinds of items
    "completions", "ledger_entries", "idempotency_keys", "known_addresses", "api_tokens",
    "second_factors", "outgoing_mail", "account_tokens", "webhooks", "webhook_attempts", "feeds",
    "imports", "import_rows", "import_refs",
)  # fmt: skip
ERASURE_TIMEOUT = 120.0  # seconds, as in raise_statement_timeout.sql
AFTER_HASHING = 2.0  # seconds
TOO_MANY_TOKENS = {"field": "", "message": "There are 100 tokens already; delete one first."}
IS_ON = {"field": "", "message": "There is a second factor already; remove it first."}
NOT_SET_UP = {"field": "", "message": "No second factor waits for its code; set one up first."}
PAGE_SIZE = 500  # accounts read at a time by the command line


@dataclass(frozen=True, order=True)
class AttemptCounter:
    """A row of wrong attempts: keyed hashes of account and address, and how many are free."""

    account_hash: bytes
    address_hash: bytes
    free: int


@dataclass(frozen=True)
class Proof:
    """What shows that the owner asks: a living session, and when the checked password was set."""

    session_id: Uuid
    password_changed_at: datetime


@dataclass(frozen=True)
class NewAddress:
    """The address that an account is to get, and its key."""

    email: str
    email_key: str


@dataclass(frozen=True)
class NewLink:
    """A mailed link with its mail, as they are to be stored."""

    owner_id: Uuid
    purpose: str
    hash: bytes
    seed: bytes
    mail: Message
    new_address: NewAddress | None = None


# --- accounts -----------------------------------------------------------------------------------


def register(
    owner_id: Uuid,
    email: str,
    email_key: str,
    password_hash: str,
    time_zone: str = "UTC",
    link: NewLink | None = None,
) -> User:
    """Creates the account, and mails the link; raises EmailTaken where that key has an account."""
    params = {
        "owner_id": owner_id,
        "email": email,
        "email_key": email_key,
        "time_zone": time_zone,
        "password_hash": password_hash,
    }
    with db.transaction():
        user = db.fetch_one(REGISTER, params)
        if user is None:
            raise EmailTaken
        db.execute(CREATE_LEDGER, {"owner_id": owner_id})
        if link is not None:
            _mail_link(link)
    return user


def find_credential(email_key: str, address_hashes: Sequence[bytes] = ()) -> FoundCredential | None:
    """The account of that e-mail with its password hash, or None."""
    params = {"email_key": email_key, "address_hashes": list(address_hashes)}
    return db.fetch_one(FIND_CREDENTIAL, params)


def get_credential(owner_id: Uuid, address_hashes: Sequence[bytes]) -> Credential | None:
    """The account's e-mail key and password hash, or None where it is gone."""
    params = {"owner_id": owner_id, "address_hashes": list(address_hashes)}
    return db.fetch_one(GET_CREDENTIAL, params)


def get_user(owner_id: Uuid) -> User | None:
    """The account, or None where it is gone."""
    return db.fetch_one(GET_USER, {"owner_id": owner_id})


def verified_email(owner_id: Uuid) -> str | None:
    """The address of the account; None where it is not verified, or the account is gone."""
    user = get_user(owner_id)
    return None if user is None or user.email_verified_at is None else user.email


def is_verified(owner_id: Uuid) -> bool:
    """Whether the address of the account is verified, which it stays for good."""
    return verified_email(owner_id) is not None


def get_clock(owner_id: Uuid) -> Clock:
    """The owner's local time; raises NotFound where the account is gone."""
    clock = db.fetch_one(GET_CLOCK, {"owner_id": owner_id})
    if clock is None:
        raise NotFound
    return clock


def update_user(owner_id: Uuid, changes: Mapping[str, Any]) -> User | None:
    """Changes the settings that are named; returns the account, or None where it is gone."""
    settings = {"time_zone": None, "reminder_time": None, "mail": None}
    owner = {"owner_id": owner_id}
    with db.transaction():
        if db.fetch_one(LOCK_LEDGER, owner) is None:
            return None
        return db.fetch_one(UPDATE_USER, {**settings, **changes, **owner})


def list_users() -> Iterator[Account]:
    """Every account, by e-mail."""
    after = ""
    while users := db.fetch_all(LIST_USERS, {"after": after, "limit": PAGE_SIZE}):
        yield from users
        after = users[-1].email_key


def change_password(owner_id: Uuid, proof: Proof, new_password_hash: str) -> bool:
    """Replaces the password and ends every other session; False where the proof is outdated."""
    params = {"owner_id": owner_id, "new_password_hash": new_password_hash}
    with db.transaction():
        if db.fetch_one(CHANGE_PASSWORD, {**params, **vars(proof)}) is None:
            return False
        db.execute(END_SESSIONS, {"owner_id": owner_id, "kept_session_id": proof.session_id})
    return True


def set_password(owner_id: Uuid, password_hash: str) -> int | None:
    """Replaces the password; returns the number of sessions ended, None without an account."""
    with db.transaction():
        params = {"owner_id": owner_id, "password_hash": password_hash}
        if db.fetch_one(SET_PASSWORD, params) is None:
            return None
        return end_sessions(owner_id)


def disable_user(owner_id: Uuid) -> int | None:
    """Closes the account; returns the number of sessions ended, None without an account."""
    with db.transaction():
        if db.fetch_one(DISABLE_USER, {"owner_id": owner_id}) is None:
            return None
        return end_sessions(owner_id)


def enable_user(owner_id: Uuid) -> bool:
    """Lets the account log in again; False where it is gone."""
    return db.fetch_one(ENABLE_USER, {"owner_id": owner_id}) is not None


def erase_user(
    owner_id: Uuid,
    proof: Proof,
    email_key: str,
    account_hashes: Sequence[bytes],
    plurals: Mapping[str, str],
) -> dict[str, int] | None:
    """Erases the account; returns the rows removed of each sort, None for an outdated proof.

    `plurals` names the kinds of items: {"task": "tasks"}. The sessions end last: their
    announcements must not be older than a few seconds at the commit.
    """
    owner = {"owner_id": owner_id}
    accounts = {"account_hashes": list(account_hashes)}
    db.extend_deadline(ERASURE_TIMEOUT)
    with db.transaction():
        db.fetch_one(RAISE_STATEMENT_TIMEOUT, {})
        if not _lock_account(owner_id, proof):
            return None
        counted = db.fetch_all(COUNT_ACCOUNT, owner) + db.fetch_all(COUNT_LEDGER, owner)
        db.execute(ERASE_LEDGER, owner)
        counters = db.execute(ERASE_COUNTERS, accounts)
        db.execute(DROP_RESET_REQUEST, {"email_key": email_key})
        sessions = end_sessions(owner_id)
        db.execute(ERASE_USER, owner)
        (events,) = db.fetch_all(ERASE_EVENTS, {**owner, **accounts})
    removed = {"sessions": sessions, "attempt_counters": counters, **events._asdict()}
    counts = {plurals.get(row.what, row.what): row.number for row in counted}
    return {**dict.fromkeys([*plurals.values(), *COUNTED], 0), **counts, **removed}


def _lock_account(owner_id: Uuid, proof: Proof) -> bool:
    """Locks ledger and account until the transaction ends; False where the proof is outdated."""
    owner = {"owner_id": owner_id}
    has_ledger = db.fetch_one(LOCK_LEDGER, owner) is not None
    return has_ledger and db.fetch_one(LOCK_ACCOUNT, {**owner, **vars(proof)}) is not None


# --- sessions -----------------------------------------------------------------------------------


def start_session(
    token: RefreshToken,
    *,
    user_agent: str | None,
    address_hash: bytes,
    password_changed_at: datetime,
) -> bool:
    """Starts the token's session; False where that password is no longer the account's.

    The account's least recently used sessions end beyond 100.
    """
    params = {
        **_token(token),
        "user_agent": user_agent,
        "address_hash": address_hash,
        "password_changed_at": password_changed_at,
    }
    return db.fetch_one(START_SESSION, params) is not None


def rotate_token(token: RefreshToken, successor: RefreshToken) -> User | None:
    """Replaces the token by its successor; returns its user, None where it is not valid."""
    return db.fetch_one(ROTATE_TOKEN, {**_token(token), "successor_hash": successor.hash})


def get_token_state(token: RefreshToken) -> TokenState | None:
    """Which tokens of the token's session are current and in grace; None where it has ended."""
    params = {"owner_id": token.owner_id, "session_id": token.session_id}
    return db.fetch_one(GET_TOKEN_STATE, params)


def list_sessions(owner_id: Uuid) -> list[Session]:
    """The owner's living sessions, the most recently used first."""
    return db.fetch_all(LIST_SESSIONS, {"owner_id": owner_id})


def has_session(caller: Identity) -> bool:
    """Whether the session exists: a signature alone does not prove it, if its key was stolen."""
    params = {"owner_id": caller.owner_id, "session_id": caller.session_id}
    return db.fetch_one(FIND_SESSION, params, grouped=True) is not None


def list_ended_sessions(seconds: float) -> list[Uuid]:
    """The sessions of all owners that ended in the last `seconds`."""
    return [row.session_id for row in db.fetch_all(LIST_ENDED_SESSIONS, {"seconds": seconds})]


def end_session(owner_id: Uuid, session_id: Uuid) -> bool:
    """Ends a session that a log-in started; False where it had ended already."""
    return _end(owner_id, session_id, "login")


def _end(owner_id: Uuid, session_id: Uuid, kind: str) -> bool:
    params = {"owner_id": owner_id, "session_id": session_id, "kind": kind}
    return db.fetch_one(END_SESSION, params) is not None


def end_sessions(owner_id: Uuid) -> int:
    """Ends all of the owner's sessions, API tokens included; returns their number."""
    return len(db.fetch_all(END_SESSIONS, {"owner_id": owner_id, "kept_session_id": None}))


def _token(token: RefreshToken) -> dict[str, Any]:
    return {
        "owner_id": token.owner_id,
        "session_id": token.session_id,
        "token_hash": token.hash,
    }


# --- API tokens ---------------------------------------------------------------------------------


def create_token(
    caller: Identity,
    token_hash: bytes,
    *,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
) -> ApiToken:
    """Makes a token in the caller's session; raises Unauthenticated where that has ended.

    Raises ValidationFailed for one token too many.
    """
    params = {
        "owner_id": caller.owner_id,
        "id": new_uuid(),
        "name": name,
        "scopes": list(scopes),
        "token_hash": token_hash,
        "expires_at": expires_at,
    }
    with db.transaction():
        _lock_session(caller)
        token = db.fetch_one(CREATE_TOKEN, params)
    if token is None:
        raise ValidationFailed(details=[TOO_MANY_TOKENS])
    return token


def _lock_session(caller: Identity) -> None:
    """Keeps the caller's session open; raises Unauthenticated where it has ended."""
    session = {"owner_id": caller.owner_id, "session_id": caller.session_id}
    if db.fetch_one(LOCK_SESSION, session) is None:
        raise Unauthenticated(invalid=True)


def list_tokens(owner_id: Uuid) -> list[ApiToken]:
    """The owner's living tokens, the newest first."""
    return db.fetch_all(LIST_TOKENS, {"owner_id": owner_id})


def find_token(token_hash: bytes) -> FoundToken | None:
    """The token of that hash, expired or not; None where there is none, or it was ended."""
    return db.fetch_one(FIND_TOKEN, {"token_hash": token_hash})


def note_token_use(owner_id: Uuid, token_id: Uuid) -> bool:
    """Has the hour of a token's use written down later; False where that is not possible now."""
    return db.execute_later(NOTE_TOKEN_USE, {"owner_id": owner_id, "id": token_id})


def end_token(owner_id: Uuid, token_id: Uuid) -> bool:
    """Ends the token; False where it had ended already."""
    return _end(owner_id, token_id, "token")


# --- second factor ------------------------------------------------------------------------------


def set_up_second_factor(
    caller: Identity, sealed: Sealed, recovery_hashes: Sequence[bytes]
) -> None:
    """Sets up a second factor that waits for its first code, in the caller's session.

    Raises Unauthenticated where the session has ended, ValidationFailed where a factor is on.
    """
    params = {
        "owner_id": caller.owner_id,
        "key_id": sealed.key_id,
        "secret": sealed.data,
        "recovery_hashes": list(recovery_hashes),
    }
    with db.transaction():
        _lock_session(caller)
        if db.fetch_one(SET_UP_SECOND_FACTOR, params) is None:
            raise ValidationFailed(details=[IS_ON])


def get_second_factor(owner_id: Uuid) -> SecondFactor | None:
    """The owner's second factor, be it on or not; None where none was set up.

    As for undo_attempt the deadline is extended: a password may have been checked before.
    """
    db.extend_deadline(AFTER_HASHING)
    return db.fetch_one(GET_SECOND_FACTOR, {"owner_id": owner_id})


def confirm_second_factor(caller: Identity, created_at: datetime, step: int) -> User:
    """Switches on the factor that was set up then; returns the account.

    Raises Unauthenticated where the session has ended, ValidationFailed where that factor does not
    wait any more.
    """
    owner = {"owner_id": caller.owner_id}
    with db.transaction():
        _lock_session(caller)
        confirmed = {**owner, "created_at": created_at, "step": step}
        if db.fetch_one(CONFIRM_SECOND_FACTOR, confirmed) is None:
            raise ValidationFailed(details=[NOT_SET_UP])
        (user,) = db.fetch_all(GET_USER, owner)
    return user


def use_step(owner_id: Uuid, created_at: datetime, step: int, sealed: Sealed) -> bool:
    """Whether the code of that step, or of a later one, had not been used; now it is."""
    params = {"owner_id": owner_id, "created_at": created_at, "step": step}
    secret = {"key_id": sealed.key_id, "secret": sealed.data}
    return db.fetch_one(USE_STEP, {**params, **secret}) is not None


def use_recovery_code(owner_id: Uuid, recovery_hash: bytes) -> bool:
    """Whether the owner's second factor had a recovery code of that hash; now it has not."""
    params = {"owner_id": owner_id, "recovery_hash": recovery_hash}
    return db.fetch_one(USE_RECOVERY_CODE, params) is not None


def remove_second_factor(owner_id: Uuid) -> bool:
    """Removes the owner's second factor; False where there is none."""
    return db.fetch_one(REMOVE_SECOND_FACTOR, {"owner_id": owner_id}) is not None


# --- login attempts -----------------------------------------------------------------------------


def count_attempt(counters: Sequence[AttemptCounter]) -> Throttled | None:
    """Counts an attempt as a wrong one; returns how long to wait where it is throttled."""
    params = {**_counters(counters), "free": [each.free for each in counters]}
    db.execute(ENSURE_COUNTERS, params)
    return db.fetch_one(COUNT_ATTEMPT, params)


def record_refusal(counter: AttemptCounter, event: str) -> None:
    """Adds an attempt that was "refused" or "throttled" to the audit trail."""
    db.execute(
        RECORD_REFUSAL,
        {
            "event": event,
            "account_hash": counter.account_hash,
            "address_hash": counter.address_hash,
        },
    )


def undo_attempt(counters: Sequence[AttemptCounter], *, is_right: bool) -> None:
    """Undoes count_attempt, for an attempt that was right or could not be checked.

    The check may have used up the request's time: its deadline is extended.
    """
    db.extend_deadline(AFTER_HASHING)
    db.execute(UNDO_ATTEMPT, {**_counters(counters), "is_right": is_right})


def _counters(counters: Sequence[AttemptCounter]) -> dict[str, Any]:
    return {
        "account_hashes": [each.account_hash for each in counters],
        "address_hashes": [each.address_hash for each in counters],
    }


# --- mailed links -------------------------------------------------------------------------------


def mail_link(link: NewLink) -> None:
    """Makes the link, and puts its mail into the outbox."""
    with db.transaction():
        _mail_link(link)


def mail_proven_link(link: NewLink, proof: Proof) -> bool:
    """The same for one that needs the password; False where the proof is outdated."""
    with db.transaction():
        if not _lock_account(link.owner_id, proof):
            return False
        _mail_link(link)
    return True


def send_link(owner_id: Uuid, mail_id: Uuid) -> SentLink | None:
    """Starts the lifetime of the link in that mail; None where a newer one has replaced it."""
    return db.fetch_one(SEND_LINK, {"owner_id": owner_id, "mail_id": mail_id})


def find_link(owner_id: Uuid, purpose: str, token_hash: bytes) -> str:
    """The account's address; raises UnusableLink where the link is not good."""
    params = {"owner_id": owner_id, "purpose": purpose, "hash": token_hash}
    link = db.fetch_one(FIND_LINK, params)
    if link is None:
        raise UnusableLink
    return link.email


def verify_email(owner_id: Uuid, token_hash: bytes) -> User:
    """Uses the link; raises UnusableLink."""
    user = db.fetch_one(VERIFY_EMAIL, {"owner_id": owner_id, "hash": token_hash})
    if user is None:
        raise UnusableLink
    return user


def change_email(owner_id: Uuid, token_hash: bytes, notice: Message) -> User:
    """Uses the link, and mails the notice; raises UnusableLink, and EmailTaken by now."""
    with db.transaction():
        user = db.fetch_one(CHANGE_EMAIL, {"owner_id": owner_id, "hash": token_hash})
        if user is None:
            raise UnusableLink
        enqueue(owner_id, notice)
    return user


def reset_password(owner_id: Uuid, token_hash: bytes, password_hash: str, notice: Message) -> None:
    """Uses the link, ends every session, and mails the notice; raises UnusableLink."""
    params = {"owner_id": owner_id, "hash": token_hash, "password_hash": password_hash}
    with db.transaction():
        if db.fetch_one(RESET_PASSWORD, params) is None:
            raise UnusableLink
        end_sessions(owner_id)
        enqueue(owner_id, notice)


def mark_verified(owner_id: Uuid) -> bool:
    """Takes an operator's word for the address; False where the account is gone."""
    return db.fetch_one(MARK_VERIFIED, {"owner_id": owner_id}) is not None


def request_reset(email_key: str) -> None:
    """Notes the request for the worker."""
    db.execute(REQUEST_RESET, {"email_key": email_key})


def list_reset_requests(limit: int) -> list[ResetRequest]:
    """Up to `limit` requests, the longest waiting first."""
    return db.fetch_all(LIST_RESET_REQUESTS, {"limit": limit})


def drop_reset_request(email_key: str) -> None:
    """Deletes a request of an address without an account."""
    db.execute(DROP_RESET_REQUEST, {"email_key": email_key})


def answer_reset(email_key: str, link: NewLink) -> None:
    """Deletes the request and mails the link; does nothing where another worker has done so."""
    with db.transaction():
        if db.execute(DROP_RESET_REQUEST, {"email_key": email_key}):
            _mail_link(link)


def _mail_link(link: NewLink) -> None:
    """A part of the caller's transaction; nothing for an account that is gone or disabled."""
    new = link.new_address
    params = {
        "owner_id": link.owner_id,
        "purpose": link.purpose,
        "hash": link.hash,
        "seed": link.seed,
        "mail_id": link.mail.id,
        "new_email": None if new is None else new.email,
        "new_email_key": None if new is None else new.email_key,
    }
    if db.fetch_one(ISSUE_LINK, params) is not None:
        enqueue(link.owner_id, link.mail)

"""Accounts, sessions and the counters of wrong guesses. Each function is one transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app import db
from app.auth.guesses import Counter
from app.auth.refresh import RefreshToken
from app.errors import EmailTaken
from app.fields import Uuid, new_uuid

REGISTER = db.load("auth/register")
NOTE_REFUSAL = db.load("auth/note_refusal")
FIND_CREDENTIAL = db.load("auth/find_credential")
GET_CREDENTIAL = db.load("auth/get_credential")
GET_USER = db.load("auth/get_user")
LIST_USERS = db.load("auth/list_users")
START_SESSION = db.load("auth/start_session")
ROTATE_TOKEN = db.load("auth/rotate_token")
LIST_TOKENS = db.load("auth/list_tokens")
LIST_SESSIONS = db.load("auth/list_sessions")
END_SESSION = db.load("auth/end_session")
END_SESSIONS = db.load("auth/end_sessions")
CHANGE_PASSWORD = db.load("auth/change_password")
SET_PASSWORD = db.load("auth/set_password")
DISABLE_USER = db.load("auth/disable_user")
ENABLE_USER = db.load("auth/enable_user")
OPEN_GUESSES = db.load("auth/open_guesses")
COUNT_GUESS = db.load("auth/count_guess")
TAKE_GUESS_BACK = db.load("auth/take_guess_back")
ALLOW_LONG_ERASURE = db.load("auth/allow_long_erasure")
LOCK_ACCOUNT = db.load("auth/lock_account")
COUNT_ACCOUNT = db.load("auth/count_account")
ERASE_LEDGER = db.load("auth/erase_ledger")
ERASE_GUESSES = db.load("auth/erase_guesses")
ERASE_USER = db.load("auth/erase_user")
ERASE_EVENTS = db.load("auth/erase_events")

ERASURE_TIMEOUT = 120.0  # seconds, as in allow_long_erasure.sql
AFTER_HASHING = 2.0  # seconds
PAGE = 500  # accounts read at a time by the command line


@dataclass(frozen=True)
class Proof:
    """What shows that the owner asks: a living session, and since when the password is that one."""

    session_id: Uuid
    password_changed_at: datetime


# --- accounts -----------------------------------------------------------------------------------


def register(email: str, email_key: str, password_hash: str) -> db.Row:
    """Creates the account; EmailTaken where there is one with that key."""
    user = db.fetch_one(
        REGISTER,
        {
            "owner_id": new_uuid(),
            "email": email,
            "email_key": email_key,
            "password_hash": password_hash,
        },
    )
    if user is None:
        raise EmailTaken
    return user


def find_credential(email_key: str, address_hashes: Sequence[bytes] = ()) -> db.Row | None:
    """The account of that e-mail with its password hash, or None."""
    params = {"email_key": email_key, "address_hashes": list(address_hashes)}
    return db.fetch_one(FIND_CREDENTIAL, params)


def get_credential(owner_id: Uuid, address_hashes: Sequence[bytes]) -> db.Row | None:
    """The account's e-mail key and password hash, or None where it is gone."""
    params = {"owner_id": owner_id, "address_hashes": list(address_hashes)}
    return db.fetch_one(GET_CREDENTIAL, params)


def get_user(owner_id: Uuid) -> db.Row | None:
    """The account, or None where it is gone."""
    return db.fetch_one(GET_USER, {"owner_id": owner_id})


def list_users() -> Iterator[db.Row]:
    """Every account, by e-mail."""
    after = ""
    while users := db.fetch_all(LIST_USERS, {"after": after, "limit": PAGE}):
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
    """Replaces the password; returns how many sessions that ended, None without an account."""
    with db.transaction():
        params = {"owner_id": owner_id, "password_hash": password_hash}
        if db.fetch_one(SET_PASSWORD, params) is None:
            return None
        return end_sessions(owner_id)


def disable_user(owner_id: Uuid) -> int | None:
    """Closes the account; returns how many sessions that ended, None without an account."""
    with db.transaction():
        if db.fetch_one(DISABLE_USER, {"owner_id": owner_id}) is None:
            return None
        return end_sessions(owner_id)


def enable_user(owner_id: Uuid) -> bool:
    """Lets the account log in again; False where it is gone."""
    return db.fetch_one(ENABLE_USER, {"owner_id": owner_id}) is not None


def erase_user(
    owner_id: Uuid, proof: Proof, account_hashes: Sequence[bytes]
) -> dict[str, int] | None:
    """Erases the account; returns the rows removed of each kind, None for an outdated proof.

    The ends of its sessions are announced last: what announces them may not be older than a few
    seconds when it is committed.
    """
    owner = {"owner_id": owner_id}
    accounts = {"account_hashes": list(account_hashes)}
    db.allow(ERASURE_TIMEOUT)
    with db.transaction():
        db.fetch_one(ALLOW_LONG_ERASURE, {})
        if db.fetch_one(LOCK_ACCOUNT, {**owner, **vars(proof)}) is None:
            return None
        (counts,) = db.fetch_all(COUNT_ACCOUNT, owner)
        db.execute(ERASE_LEDGER, owner)
        guesses = db.execute(ERASE_GUESSES, accounts)
        sessions = end_sessions(owner_id)
        db.execute(ERASE_USER, owner)
        (events,) = db.fetch_all(ERASE_EVENTS, {**owner, **accounts})
    removed = {"sessions": sessions, "guess_counters": guesses, **events._asdict()}
    return {**counts._asdict(), **removed}


# --- sessions -----------------------------------------------------------------------------------


def start_session(
    token: RefreshToken,
    *,
    user_agent: str | None,
    address_hash: bytes,
    password_changed_at: datetime,
) -> bool:
    """Starts the token's session; False where that password does not let in any more."""
    params = {
        **_token(token),
        "user_agent": user_agent,
        "address_hash": address_hash,
        "password_changed_at": password_changed_at,
    }
    return db.fetch_one(START_SESSION, params) is not None


def rotate_token(token: RefreshToken, successor: RefreshToken) -> db.Row | None:
    """Spends the token for its successor; returns its user, or None where it can't be spent."""
    return db.fetch_one(ROTATE_TOKEN, {**_token(token), "successor_hash": successor.hash})


def list_tokens(token: RefreshToken) -> dict[bytes, db.Row]:
    """What became of the token and of those that may stand for it, by their hashes."""
    return {bytes(row.token_hash): row for row in db.fetch_all(LIST_TOKENS, _token(token))}


def list_sessions(owner_id: Uuid) -> list[db.Row]:
    """The owner's living sessions, the one used last first."""
    return db.fetch_all(LIST_SESSIONS, {"owner_id": owner_id})


def end_session(owner_id: Uuid, session_id: Uuid) -> bool:
    """Ends the session and its tokens; False where it was over already."""
    ended = db.fetch_one(END_SESSION, {"owner_id": owner_id, "session_id": session_id})
    return ended is not None


def end_sessions(owner_id: Uuid) -> int:
    """Ends all of the owner's sessions; returns how many there were."""
    return len(db.fetch_all(END_SESSIONS, {"owner_id": owner_id, "kept_session_id": None}))


def _token(token: RefreshToken) -> dict[str, Any]:
    return {
        "owner_id": token.owner_id,
        "session_id": token.session_id,
        "token_hash": token.hash,
    }


# --- guesses ------------------------------------------------------------------------------------


def count_guess(counters: Sequence[Counter]) -> int:
    """Counts a try as a wrong guess; returns 0, or the seconds to wait where it may not be made."""
    params = _counters(counters)
    db.execute(OPEN_GUESSES, params)
    held_up = db.fetch_one(COUNT_GUESS, {**params, "free": [each.free for each in counters]})
    return 0 if held_up is None else int(held_up.wait)


def note_refusal(counter: Counter, event: str) -> None:
    """Tells the auditor of a try that was "refused" or "held up"."""
    db.execute(
        NOTE_REFUSAL,
        {
            "event": event,
            "account_hash": counter.account_hash,
            "address_hash": counter.address_hash,
        },
    )


def take_guess_back(counters: Sequence[Counter], *, is_right: bool) -> None:
    """Takes back what count_guess counted, for a try that was right or could not be made.

    The try may have used up its request's time: what follows it gets some more.
    """
    db.allow(AFTER_HASHING)
    db.execute(TAKE_GUESS_BACK, {**_counters(counters), "is_right": is_right})


def _counters(counters: Sequence[Counter]) -> dict[str, Any]:
    return {
        "account_hashes": [each.account_hash for each in counters],
        "address_hashes": [each.address_hash for each in counters],
    }

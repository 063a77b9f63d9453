"""Accounts and sessions. Each function is one transaction."""

from typing import Any
from uuid import UUID

from app import db
from app.auth.refresh import RefreshToken

REGISTER = db.load("auth/register")
FIND_CREDENTIAL = db.load("auth/find_credential")
GET_USER = db.load("auth/get_user")
START_SESSION = db.load("auth/start_session")
ROTATE_TOKEN = db.load("auth/rotate_token")
FIND_TOKEN = db.load("auth/find_token")
END_SESSION = db.load("auth/end_session")


def register(email: str, email_key: str, password_hash: str) -> db.Row:
    """Creates the account; EMAIL_TAKEN comes from the constraint."""
    return db.fetch_one(
        REGISTER, {"email": email, "email_key": email_key, "password_hash": password_hash}
    )


def find_credential(email_key: str) -> db.Row | None:
    """The account of that address with its password hash, or None."""
    return db.fetch_one(FIND_CREDENTIAL, {"email_key": email_key})


def get_user(owner_id: UUID) -> db.Row | None:
    """The account, or None where it is gone."""
    return db.fetch_one(GET_USER, {"owner_id": owner_id})


def start_session(token: RefreshToken, user_agent: str | None) -> bool:
    """Starts the token's session; False where the account is gone."""
    params = {**_token(token), "user_agent": user_agent}
    return db.fetch_one(START_SESSION, params) is not None


def rotate_token(token: RefreshToken, successor: RefreshToken) -> db.Row | None:
    """Spends the token for its successor; returns its user, or None where it can't be spent."""
    return db.fetch_one(ROTATE_TOKEN, {**_token(token), "successor_hash": successor.hash})


def find_token(token: RefreshToken) -> db.Row | None:
    """Whether the token is spent, and whether just now; None where nothing is known of it."""
    return db.fetch_one(FIND_TOKEN, _token(token))


def end_session(owner_id: UUID, session_id: UUID) -> bool:
    """Ends the session and its tokens; False where it was over already."""
    ended = db.fetch_one(END_SESSION, {"owner_id": owner_id, "session_id": session_id})
    return ended is not None


def _token(token: RefreshToken) -> dict[str, Any]:
    return {
        "owner_id": token.owner_id,
        "session_id": token.session_id,
        "token_hash": token.hash,
    }

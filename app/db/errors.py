"""Maps psycopg's errors to the AppError family."""

import re
from collections.abc import Callable, Mapping

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from app.db.connection import BrokenConnection, DeadlineExceeded
from app.errors import (
    AppError,
    EmailTaken,
    IdempotencyInFlight,
    Internal,
    NameTaken,
    Unavailable,
)

# Constraints that a race between two requests may break.
CONSTRAINTS: Mapping[str, Callable[[], AppError]] = {
    "idempotency_keys_pkey": IdempotencyInFlight,
    "labels_name_unique": NameTaken,
    "users_email_key_unique": EmailTaken,
}

# SQLSTATEs and classes of them (https://www.postgresql.org/docs/current/errcodes-appendix.html)
# after which the request may succeed when it is sent again.
UNAVAILABLE_STATES = (
    "08",  # the connection is gone
    "0A000",  # a prepared statement whose result a migration has changed
    "53",  # out of connections, memory or disk
    "57",  # cancelled by a deadline, or shutting down
    "58",  # the server's own files
    "25006",  # read-only after a failover
    "25P03",  # idle inside a transaction for too long
    "26000",  # a prepared statement that the connection no longer has
    "40001",  # serialisation failure
    "40P01",  # deadlock
    "55P03",  # lock not granted in time
)


# What Citus says of a shard that was moved to another node after the statement was planned.
MOVED_SHARD = re.compile(r'"[\w.]+_[0-9]{6,}"')

# A part of what libpq says in lower case, and the reason in words that quote nothing.
REASONS = (
    ("connection refused", "the connection is refused: is the server running there?"),
    ("no such file", "there is no socket at that path: is the server running there?"),
    ("resolve host", "the host has no address: is its name right, and DNS at work?"),
    ("translate host name", "the host has no address: is its name right, and DNS at work?"),
    ("timeout expired", "the server does not answer in time"),
    ("timed out", "the server does not answer in time"),
    ("unreachable", "the network has no way to the server"),
    ("permission denied", "the socket's rights keep this user out"),
    ("password authentication failed", "the user name or the password is wrong"),
    ("no password supplied", "the server asks for a password, and there is none"),
    ("authentication failed", "the server does not accept this user"),
    ("pg_hba.conf", "pg_hba.conf has no entry for this user, database and address"),
    ("starting up", "the server is starting"),
    ("shutting down", "the server is stopping"),
    ("too many", "the server has too many connections already"),
    ("connection slots", "the server has too many connections already"),
    ("not permitted to log in", "the role may not log in"),
    ("read-only", "the server takes no writes"),
    ("session is not", "the server is not of the kind that target_session_attrs asks for"),
    ("database", "the server has no such database, or does not let the role in"),
    ("role", "the server has no such role"),
    ("certificate", "the server's certificate is not accepted"),
    ("ssl", "no encrypted connection can be made"),
    ("closed the connection", "the server has closed the connection"),
    ("fatal", "the server refuses the connection"),
)
OWN_TEXTS = (BrokenConnection, DeadlineExceeded, PoolClosed, PoolTimeout, TooManyRequests)


def error_for(error: psycopg.Error) -> AppError:
    """The answer to a request whose statement failed."""
    if isinstance(error, PoolTimeout | PoolClosed | TooManyRequests):
        return Unavailable()
    if error.sqlstate is None:
        return Unavailable() if isinstance(error, psycopg.OperationalError) else Internal()
    if error.sqlstate.startswith(UNAVAILABLE_STATES) or _is_moved(error):
        return Unavailable()
    return CONSTRAINTS.get(error.diag.constraint_name or "", Internal)()


def _is_moved(error: psycopg.Error) -> bool:
    """Whether it names a shard that is no longer there: no table of ours has such a number."""
    is_unknown = isinstance(error, psycopg.errors.UndefinedTable)
    return is_unknown and MOVED_SHARD.search(error.diag.message_primary or "") is not None


def cause(error: psycopg.Error) -> str:
    """Why PostgreSQL can't be used, on one line, for an operator.

    Texts of libpq and psycopg quote parts of the URL, its password among them if the URL is
    malformed: none is passed on. A message of PostgreSQL is, but not its details, which quote rows.
    """
    if isinstance(error, OWN_TEXTS):
        return str(error)
    if error.sqlstate is not None:
        message = " ".join((error.diag.message_primary or "").split())
        return f"{message} (SQLSTATE {error.sqlstate})"
    text = str(error).lower()
    for part, reason in REASONS:
        if part in text:
            return reason
    return f"{type(error).__name__}, for a reason that may quote the URL; PostgreSQL's log has it"

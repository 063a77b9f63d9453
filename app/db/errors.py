"""Maps psycopg's errors to the AppError family."""

from collections.abc import Callable, Mapping

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from app.errors import AppError, IdempotencyInFlight, Internal, Unavailable

# Constraints that a race between two requests may break.
CONSTRAINTS: Mapping[str, Callable[[], AppError]] = {
    "idempotency_keys_pkey": IdempotencyInFlight,
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


def error_for(error: psycopg.Error) -> AppError:
    """The answer to a request whose statement failed."""
    if isinstance(error, PoolTimeout | PoolClosed | TooManyRequests):
        return Unavailable()
    if error.sqlstate is None:
        return Unavailable() if isinstance(error, psycopg.OperationalError) else Internal()
    if error.sqlstate.startswith(UNAVAILABLE_STATES):
        return Unavailable()
    return CONSTRAINTS.get(error.diag.constraint_name or "", Internal)()


def cause(error: psycopg.Error) -> str:
    """The message of libpq or PostgreSQL on one line, for an operator; it holds no password."""
    return " ".join(str(error).split())

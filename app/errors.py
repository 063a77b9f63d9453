"""What can go wrong, as the client sees it: the AppError family, and what becomes one."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import psycopg
from gunicorn.http import errors as http
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

Detail = Mapping[str, str]


class AppError(Exception):
    """An answer other than success: its status, its code and what the client should do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL"
    message: str = "Something went wrong on our side; try again later"

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or type(self).message
        super().__init__(self.message)
        self.details = list(details)
        self.headers = dict(headers or {})


class BadRequest(AppError):
    status, code = 400, "BAD_REQUEST"
    message = "The request can't be read"


class Unauthenticated(AppError):
    """No access token, or one that does not hold."""

    status, code = 401, "UNAUTHENTICATED"
    message = "Send a valid access token: Authorization: Bearer <token>"

    def __init__(self, message: str | None = None, *, invalid: bool = False) -> None:
        challenge = 'Bearer error="invalid_token"' if invalid else "Bearer"
        super().__init__(message, headers={"WWW-Authenticate": challenge})


class InvalidCredentials(AppError):
    status, code = 401, "INVALID_CREDENTIALS"
    message = "E-mail or password is wrong"


class Forbidden(AppError):
    status, code = 403, "FORBIDDEN"
    message = "The path names another user than the token"


class NotFound(AppError):
    status, code = 404, "NOT_FOUND"
    message = "There is nothing here"


class MethodNotAllowed(AppError):
    status, code = 405, "METHOD_NOT_ALLOWED"
    message = "This address does not take that method"


class EmailTaken(AppError):
    status, code = 409, "EMAIL_TAKEN"
    message = "There is an account with this e-mail already"


class IdempotencyInFlight(AppError):
    status, code = 409, "IDEMPOTENCY_IN_FLIGHT"
    message = "The first request with this Idempotency-Key is still running; try again in a moment"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class SyncTokenExpired(AppError):
    status, code = 410, "SYNC_TOKEN_EXPIRED"
    message = "The ledger does not hold the changes since that version; start again from since=0"


class PreconditionFailed(AppError):
    status, code = 412, "PRECONDITION_FAILED"
    message = "It has another version than you named; read it again and send its ETag as If-Match"


class RequestTimeout(AppError):
    status, code = 408, "REQUEST_TIMEOUT"
    message = "The request did not arrive in time"


class PayloadTooLarge(AppError):
    status, code = 413, "PAYLOAD_TOO_LARGE"
    message = "The body is too large"


class UriTooLong(AppError):
    status, code = 414, "URI_TOO_LONG"
    message = "The request line is too long"


class UnsupportedMediaType(AppError):
    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"
    message = "Send the body as Content-Type: application/json, without Content-Encoding"


class ValidationFailed(AppError):
    """Fields or query parameters that break a rule, each named in `details`."""

    status, code = 422, "VALIDATION_FAILED"
    message = "Some fields are not valid"


class IdempotencyMismatch(AppError):
    status, code = 422, "IDEMPOTENCY_MISMATCH"
    message = "This Idempotency-Key was used for another request; use a new one"


class RateLimited(AppError):
    status, code = 429, "RATE_LIMITED"
    message = "Too many requests; try again later"

    def __init__(self, retry_after: int, headers: Mapping[str, str] | None = None) -> None:
        """`retry_after` is in seconds."""
        super().__init__(headers={"Retry-After": str(max(1, retry_after)), **(headers or {})})


class HeadersTooLarge(AppError):
    status, code = 431, "HEADERS_TOO_LARGE"
    message = "The request's headers are too large"


class Internal(AppError):
    pass


class NotImplementedHere(AppError):
    status, code = 501, "NOT_IMPLEMENTED"
    message = "The server does not know this method or transfer encoding"


class Unavailable(AppError):
    status, code = 503, "UNAVAILABLE"
    message = "The service is busy or a part of it is away; try again"

    def __init__(self, retry_after: int = 1) -> None:
        """`retry_after` is in seconds."""
        super().__init__(headers={"Retry-After": str(retry_after)})


class NotReady(Unavailable):
    """A part of the service that is not ready, each in `details`."""

    message = "The service can't do its work now"

    def __init__(self, problems: Sequence[Detail]) -> None:
        super().__init__()
        self.details = list(problems)


HTTP_ERRORS: Mapping[int, type[AppError]] = {
    error.status: error
    for error in (
        BadRequest,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        RequestTimeout,
        PayloadTooLarge,
        UriTooLong,
        UnsupportedMediaType,
        HeadersTooLarge,
        Internal,
        NotImplementedHere,
        Unavailable,
    )
}

CONSTRAINTS: Mapping[str, Callable[[], AppError]] = {
    "idempotency_keys_pkey": IdempotencyInFlight,
}

# SQLSTATEs and classes of them (https://www.postgresql.org/docs/current/errcodes-appendix.html)
# that say "not now" rather than "never".
UNAVAILABLE_STATES = (
    "08",  # the connection is gone
    "0A000",  # a prepared statement whose result a migration has changed
    "53",  # out of connections, memory or disk
    "57",  # cancelled by a deadline, or shutting down
    "58",  # the server's own files
    "25006",  # read-only after a failover
    "25P03",  # idle inside a transaction for too long
    "26000",  # a prepared statement that the connection has no longer
    "40001",  # serialisation failure
    "40P01",  # deadlock
    "55P03",  # lock not granted in time
)


def from_database(error: psycopg.Error) -> AppError:
    """What the client is told of a failed statement."""
    if isinstance(error, PoolTimeout | PoolClosed | TooManyRequests):
        return Unavailable()
    if error.sqlstate is None:
        return Unavailable() if isinstance(error, psycopg.OperationalError) else Internal()
    if error.sqlstate.startswith(UNAVAILABLE_STATES):
        return Unavailable()
    return CONSTRAINTS.get(error.diag.constraint_name or "", Internal)()


def cause(error: psycopg.Error) -> str:
    """What libpq or PostgreSQL says, on one line for an operator; it has no password in it."""
    return " ".join(str(error).split())


# What gunicorn's parser raises while it reads a request; all others are a BadRequest.
PARSER_ERRORS: Mapping[type[Exception], type[AppError]] = {
    http.UnsupportedTransferCoding: NotImplementedHere,
    http.LimitRequestLine: UriTooLong,
    http.LimitRequestHeaders: HeadersTooLarge,
    http.ConfigurationProblem: Internal,
    http.InvalidResponseHeader: Internal,
    http.InvalidResponseHeaderName: Internal,
}


def from_gunicorn(error: Exception) -> AppError:
    """What the client is told when its request can't be read off the connection."""
    is_readable = not isinstance(error, http.ParseException | http.NoMoreData)
    return PARSER_ERRORS.get(type(error), Internal if is_readable else BadRequest)()

"""The AppError family: every answer other than success, with its status, code and message."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

Detail = Mapping[str, str]
NO_SUCH_ITEM = "There is no such item."  # nor does it tell whether another owner has it


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
    """Not HTTP, not JSON, or a cursor or sync token of another list."""

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
    """An unknown e-mail, a wrong password or a disabled account."""

    status, code = 401, "INVALID_CREDENTIALS"
    message = "E-mail or password is wrong"


class SecondFactorRequired(AppError):
    """The password is right, but the account has a second factor, and no code came."""

    status, code = 401, "SECOND_FACTOR_REQUIRED"
    message = "The account has a second factor; send its code, too"


class WrongCode(SecondFactorRequired):
    """The password is right, but the code of the second factor is wrong or was used already."""

    message = "The code of the second factor is wrong, or was used already"


class Forbidden(AppError):
    """The path's {user_id} is not the token's user."""

    status, code = 403, "FORBIDDEN"
    message = "The path names another user than the token"


class InsufficientScope(AppError):
    """An API token without the operation's scope; never a 401, at which a client would log in."""

    status, code = 403, "INSUFFICIENT_SCOPE"
    message = "The API token lacks the scope that WWW-Authenticate names"

    def __init__(self, scope: str | None) -> None:
        """`scope` is the one that would do; None where none would (RFC 6750, section 3.1)."""
        message, challenge = None, f'Bearer error="insufficient_scope", scope="{scope}"'
        if scope is None:
            message = "No API token may do this; use the access token of a log-in"
            challenge = 'Bearer error="insufficient_scope"'
        super().__init__(message, headers={"WWW-Authenticate": challenge})


class EmailNotVerified(Forbidden):
    """EMAIL_VERIFICATION=required, and the account's address is not verified."""

    code = "EMAIL_NOT_VERIFIED"
    message = "Open the link in the mail that was sent to your address first"


class NotFound(AppError):
    """No such route, or no such thing of this owner."""

    status, code = 404, "NOT_FOUND"
    message = "There is nothing here"


class MethodNotAllowed(AppError):
    """A method that the route does not take; Allow names the others."""

    status, code = 405, "METHOD_NOT_ALLOWED"
    message = "This address does not take that method"


class EmailTaken(AppError):
    """There is an account with that e-mail key."""

    status, code = 409, "EMAIL_TAKEN"
    message = "There is an account with this e-mail already"


class NameTaken(AppError):
    """There is a label of that name, whatever its case and normal form."""

    status, code = 409, "NAME_TAKEN"
    message = "There is a label with this name already"


class IdempotencyInFlight(AppError):
    """The request that first used the key still runs."""

    status, code = 409, "IDEMPOTENCY_IN_FLIGHT"
    message = "The first request with this Idempotency-Key is still running; try again in a moment"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class SyncTokenExpired(AppError):
    """The ledger no longer reaches back to the position, or not yet up to it."""

    status, code = 410, "SYNC_TOKEN_EXPIRED"
    message = "The ledger does not hold the changes since that sync token; start over without one"


class PreconditionFailed(AppError):
    """If-Match names another version."""

    status, code = 412, "PRECONDITION_FAILED"
    message = "It has another version than you named; read it again and send its ETag as If-Match"


class RequestTimeout(AppError):
    """The request did not arrive within its time."""

    status, code = 408, "REQUEST_TIMEOUT"
    message = "The request did not arrive in time"


class PayloadTooLarge(AppError):
    """The body is longer than the route takes."""

    status, code = 413, "PAYLOAD_TOO_LARGE"
    message = "The body is too large"


class UriTooLong(AppError):
    """The request target is longer than the server takes."""

    status, code = 414, "URI_TOO_LONG"
    message = "The request line is too long"


class UnsupportedMediaType(AppError):
    """The body is not declared as JSON."""

    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"
    message = "Send the body as Content-Type: application/json, without Content-Encoding"


class ValidationFailed(AppError):
    """Fields or query parameters that break a rule, each named in `details`."""

    status, code = 422, "VALIDATION_FAILED"
    message = "Some fields are not valid"


class UnusableLink(ValidationFailed):
    """A mailed link's token that is spent, expired, replaced, for another purpose or made up."""

    def __init__(self) -> None:
        text = "Is not the token of a link that is still good; ask for a new one."
        super().__init__(details=[{"field": "token", "message": text}])


class IdempotencyMismatch(AppError):
    """The key was used with another request."""

    status, code = 422, "IDEMPOTENCY_MISMATCH"
    message = "This Idempotency-Key was used for another request; use a new one"


class RateLimited(AppError):
    """The quota is used up, or a log-in is throttled."""

    status, code = 429, "RATE_LIMITED"
    message = "Too many requests; try again later"

    def __init__(self, retry_after: int, headers: Mapping[str, str] | None = None) -> None:
        """`retry_after` is in seconds."""
        super().__init__(headers={"Retry-After": str(max(1, retry_after)), **(headers or {})})


class HeadersTooLarge(AppError):
    """A header is too long, or there are too many."""

    status, code = 431, "HEADERS_TOO_LARGE"
    message = "The request's headers are too large"


class Internal(AppError):
    """A defect of the service; the log has its cause, the answer has not."""


class NotImplementedHere(AppError):
    """A method or transfer coding that the server does not know."""

    status, code = 501, "NOT_IMPLEMENTED"
    message = "The server does not know this method or transfer encoding"


class Unavailable(AppError):
    """A dependency is away or busy; the request may be repeated."""

    status, code = 503, "UNAVAILABLE"
    message = "The service is busy or a part of it is away; try again"

    def __init__(self, retry_after: int = 1) -> None:
        """`retry_after` is in seconds."""
        super().__init__(headers={"Retry-After": str(retry_after)})


class NoStreams(Unavailable):
    """Event streams are another process's, which does not run or was not led to."""

    message = "Event streams are served by flask events, which does not answer; try again"


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

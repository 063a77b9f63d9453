"""The Authorization header (RFC 9110, section 11.6.2)."""

from app.errors import Unauthenticated
from app.http.request import Request


def bearer_token(request: Request) -> str:
    """The token of the scheme Bearer, in any case and behind any number of blanks.

    The header is the only place for one. Raises Unauthenticated without it.
    """
    header = request.header("AUTHORIZATION")
    if header is None:
        raise Unauthenticated
    scheme, _, token = header.partition(" ")
    token = token.lstrip(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(invalid=True)
    return token

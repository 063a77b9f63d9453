"""The request being answered, and what the hooks have found out about it."""

import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import flask

from app.values import Identity, Origin, Uuid

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from app.http.query import Query

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
ENVIRON_KEY = "app.request"


class Request:
    """One HTTP request, read from its WSGI environ.

    It takes the place of Flask's, whose construction and proxies cost 25 µs a request.
    """

    endpoint: str | None = None  # None: no route matched
    route: str | None = None  # the path's template, such as /api/<user_id>/tasks
    view_args: Mapping[str, Any] = {}  # replaced, never changed
    request_id = ""
    began = 0.0  # monotonic seconds
    path_user = "me"  # the {user_id} of the path
    identity: Identity | None = None
    query: "Query | None" = None
    body: bytes | None = None
    error_code: str | None = None
    tool: str | None = None  # the tool of /mcp that it calls
    rate_limit_headers: Mapping[str, str] = {}  # replaced, never changed

    def __init__(self, app: flask.Flask, environ: "WSGIEnvironment") -> None:
        self.app, self.environ = app, environ
        self.method: str = environ["REQUEST_METHOD"]
        path: str = environ.get("PATH_INFO", "")
        if not path.isascii():
            path = path.encode("latin-1").decode(errors="replace")
        self.path = path if path[:1] == "/" else "/" + path
        self.query_string: bytes = environ.get("QUERY_STRING", "").encode("latin-1")

    def header(self, name: str) -> str | None:
        """The header `name`, spelt as in WSGI without HTTP_ (IF_MATCH); None without it."""
        value: str | None = self.environ.get(f"HTTP_{name}")
        return value

    @property
    def remote_addr(self) -> str | None:
        """The client's address; a trusted proxy's X-Forwarded-For has been applied."""
        address: str | None = self.environ.get("REMOTE_ADDR")
        return address


CURRENT: ContextVar[Request] = ContextVar("request")


def current_request() -> Request:
    """The request being answered; inside Flask's own request context, Flask's."""
    try:
        return CURRENT.get()
    except LookupError:
        environ = flask.request.environ
        if ENVIRON_KEY not in environ:
            environ[ENVIRON_KEY] = Request(flask.current_app, environ)
        found: Request = environ[ENVIRON_KEY]
        return found


def request_if_any() -> Request | None:
    """The request being answered; None outside one."""
    return CURRENT.get(None)


def identity() -> Identity:
    """The authenticated user and session; set wherever a blueprint authenticates."""
    found = current_request().identity
    if found is None:
        raise RuntimeError("this route does not authenticate")
    return found


def owner_id() -> Uuid:
    """The authenticated user's id, which comes from the access token alone."""
    return identity().owner_id


def origin() -> Origin:
    """The request and session that the ledger records for a change."""
    return Origin(current_request().request_id, identity().session_id)


def assign_request_id() -> None:
    """Adopts a well-formed X-Request-Id; makes an id otherwise."""
    request = current_request()
    given = request.header("X_REQUEST_ID") or ""
    request.request_id = given if REQUEST_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """128 random bits in hexadecimal digits."""
    return os.urandom(16).hex()

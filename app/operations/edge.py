"""Around every request: trusted proxies, hosts, other origins, and security headers."""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from app.config import Config
from app.errors import BadRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

POLICY = "Content-Security-Policy"
HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
CLOSED_HEADERS = [*HEADERS, (POLICY, "default-src 'none'; frame-ancestors 'none'")]
ONLY_TLS = ("Strict-Transport-Security", "max-age=31536000")
SENDABLE = "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key"
READABLE = "ETag, Link, Location, Retry-After, Idempotent-Replayed, X-Request-Id"
PREFLIGHT_SECONDS = "600"
PROBES = ("/livez", "/readyz")  # they come by address, whatever the host is called


class Edge:
    """WSGI middleware: whose request it is, and the headers that every answer has."""

    def __init__(self, app: "WSGIApplication", config: Config) -> None:
        self._app = app
        self._trusts = _membership(config.forwarded_allow_ips)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if self._trusts is not None and self._trusts(environ.get("REMOTE_ADDR", "")):
            _take_forwarded(environ, self._trusts)

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            headers += HEADERS if POLICY in dict(headers) else CLOSED_HEADERS
            if environ["wsgi.url_scheme"] == "https":
                headers.append(ONLY_TLS)
            return start_response(status, headers, *exc_info)

        return self._app(environ, start)


def register(app: Flask, config: Config) -> None:
    """Puts the edge around the application, and what the settings ask for."""
    app.wsgi_app = Edge(app.wsgi_app, config)  # type: ignore[method-assign]
    if config.allowed_hosts:
        app.before_request(partial(_check_host, config.allowed_hosts))
    if config.cors_origins:
        app.after_request(partial(_open_origins, config.cors_origins))


def _check_host(allowed: Sequence[str]) -> None:
    """Refuses a Host that is none of ours, so that no answer can be made to speak for another."""
    if request.path in PROBES:
        return
    name = request.headers.get("Host", "").lower().rpartition("@")[2]
    if not name.endswith("]"):
        host, colon, port = name.rpartition(":")
        name = host if colon and port.isdigit() else name
    if name not in allowed and not any(
        each.startswith(".") and (name.endswith(each) or name == each[1:]) for each in allowed
    ):
        raise BadRequest("This server does not answer for that Host")


def _open_origins(origins: Sequence[str], response: Response) -> Response:
    """Lets the pages of CORS_ORIGINS, and of nobody else, use the API from a browser."""
    response.vary.add("Origin")
    origin = request.headers.get("Origin", "")
    if origin not in origins:
        return response
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = READABLE
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
        response.headers["Access-Control-Allow-Headers"] = SENDABLE
        response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
    return response


def _membership(networks: Iterable[str]) -> Callable[[str], bool] | None:
    """Whether an address is a trusted proxy's; None where no proxy is trusted."""
    trusted = [ipaddress.ip_network(network) for network in networks]
    if not trusted:
        return None

    @lru_cache(4096)
    def contains(address: str) -> bool:
        parsed = _address(address)
        if parsed is None:
            return address == ""  # a Unix socket, which has no other peers than those let in
        return any(parsed.version == each.version and parsed in each for each in trusted)

    return contains


def _take_forwarded(environ: "WSGIEnvironment", trusts: Callable[[str], bool]) -> None:
    """Believes the proxies: the client is the last address that none of them has.

    What stands before that one was written by the client, and is ignored.
    """
    for item in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        address = _address(item.strip())
        if address is None:
            break
        environ["REMOTE_ADDR"] = str(address)
        if not trusts(str(address)):
            break
    scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip()
    if scheme in ("http", "https"):
        environ["wsgi.url_scheme"] = scheme


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed

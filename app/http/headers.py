"""Headers of every answer: security policies, caching, and CORS for the origins that may call."""

from collections.abc import Callable, Mapping, Sequence

from app.http.request import Request, current_request
from app.http.responses import Response

Header = tuple[str, str]

POLICY = "Content-Security-Policy"
SECURITY = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
CLOSED = (POLICY, "default-src 'none'; frame-ancestors 'none'")
ONLY_TLS = ("Strict-Transport-Security", "max-age=31536000")  # seconds
NOT_STORED = ("Cache-Control", "no-store")
PRIVATE = ("Cache-Control", "private, no-cache, no-transform")  # compression weakens ETags

SENDABLE = "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID"
READABLE = "ETag, Link, Location, Retry-After, Idempotent-Replayed, X-Request-Id"
PREFLIGHT_SECONDS = "600"


def response_headers(cors_origins: Sequence[str]) -> Callable[[Response], Response]:
    """A hook that adds these headers; pages of `cors_origins` may call the API (Fetch standard)."""

    def add_headers(response: Response) -> Response:
        request = current_request()
        present = dict(response.headers)
        added = [("X-Request-Id", request.request_id), *request.rate_limit_headers.items()]
        added += [*SECURITY, *_caching(request.path, present)]
        if POLICY not in present:
            added.append(CLOSED)
        if request.environ["wsgi.url_scheme"] == "https":
            added.append(ONLY_TLS)
        varies = ["Authorization"] if PRIVATE in added else []
        if cors_origins:
            varies.append("Origin")
            added += _cors(request, present, cors_origins)
        if varies:
            added.append(("Vary", ", ".join(varies)))
        response.headers.extend(added)
        return response

    return add_headers


def cors_headers(origin: str, origins: Sequence[str]) -> list[Header]:
    """The headers by which pages of that origin may read a response made outside the application.

    All such responses are closed to caches, but vary nevertheless.
    """
    return [("Vary", "Origin"), *_readable(origin, origins)] if origins else []


def _caching(path: str, present: Mapping[str, str]) -> list[Header]:
    if path.startswith("/api/auth"):
        return [NOT_STORED]
    if path.startswith("/api/"):
        return [PRIVATE]
    return [] if "Cache-Control" in present else [NOT_STORED]


def _cors(request: Request, present: Mapping[str, str], origins: Sequence[str]) -> list[Header]:
    added = _readable(request.header("ORIGIN") or "", origins)
    if added and request.method == "OPTIONS" and request.header("ACCESS_CONTROL_REQUEST_METHOD"):
        added += [
            ("Access-Control-Allow-Methods", present.get("Allow", "")),
            ("Access-Control-Allow-Headers", SENDABLE),
            ("Access-Control-Max-Age", PREFLIGHT_SECONDS),
        ]
    return added


def _readable(origin: str, origins: Sequence[str]) -> list[Header]:
    if origin not in origins:
        return []
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", READABLE),
    ]

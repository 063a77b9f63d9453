"""The cookie that keeps the web client's refresh token out of reach of its scripts.

`?cookie=true` asks for it; without that parameter cookies are neither read nor set. A browser sends
it with requests of this site only (SameSite=Strict), to /api/auth only, and over TLS or to its own
machine only (Secure). Where it counts, a page of another origin is refused besides, by Origin.
"""

import re
from typing import cast

from app.auth.refresh_tokens import RefreshToken
from app.auth.schemas import COOKIE_QUERY
from app.config import Config
from app.errors import Forbidden
from app.http.query import query_fields
from app.http.request import Request, current_request

Header = tuple[str, str]

NAME = "__Secure-refresh_token"  # browsers refuse that name without Secure
COOKIE = re.compile(rf"(?:^|;)\s*{NAME}=([^;]*)")
ATTRIBUTES = "Path=/api/auth; Secure; HttpOnly; SameSite=Strict"
LIFETIME = 30 * 24 * 60 * 60  # seconds; of a token that is not used
CLEARED: Header = ("Set-Cookie", f"{NAME}=; Max-Age=0; {ATTRIBUTES}")


def uses_cookie() -> bool:
    """Whether the request asks for the cookie; 403 where that is not for a page of this origin."""
    if not query_fields(COOKIE_QUERY).get("cookie"):
        return False
    request = current_request()
    if request.header("ORIGIN") not in _own_origins(request):
        raise Forbidden("With cookie=true only a page of this service may call: send its Origin")
    return True


def kept_token() -> str:
    """The refresh token in the cookie; "" without one, or where there are several."""
    found = COOKIE.findall(current_request().header("COOKIE") or "")
    return found[0].strip() if len(found) == 1 else ""


def keep(token: RefreshToken) -> Header:
    """The header that makes a browser keep the token."""
    return ("Set-Cookie", f"{NAME}={token.text}; Max-Age={LIFETIME}; {ATTRIBUTES}")


def _own_origins(request: Request) -> tuple[str, str]:
    """PUBLIC_URL, and the address that the request came to."""
    settings = cast("Config", request.app.extensions["settings"])
    scheme, host = request.environ["wsgi.url_scheme"], (request.header("HOST") or "").lower()
    standard_port = ":443" if scheme == "https" else ":80"
    return settings.public_url, f"{scheme}://{host.removesuffix(standard_port)}"

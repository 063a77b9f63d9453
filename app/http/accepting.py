"""What a client accepts (RFC 9110, section 12.5): media types and content codings."""

from werkzeug.datastructures import Accept, MIMEAccept
from werkzeug.http import parse_accept_header

from app.http.request import current_request


def prefers_html() -> bool:
    """Whether it would rather have HTML than JSON, as browsers would."""
    accepted = parse_accept_header(current_request().header("ACCEPT"), MIMEAccept)
    return accepted.best_match(["application/json", "text/html"]) == "text/html"


def accepts_gzip() -> bool:
    """Whether it takes a response that is compressed by gzip."""
    return parse_accept_header(current_request().header("ACCEPT_ENCODING"), Accept)["gzip"] > 0

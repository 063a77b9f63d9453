"""/openapi.json and /docs: the API's contract as OpenAPI, and Swagger UI to read it."""

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

import orjson
from flask import Blueprint, Response, request, send_file

from app.errors import NotFound

CONTRACT = Path(__file__).resolve().parent.parent.parent / "specs" / "openapi.yaml"
PAGE = Path(__file__).resolve().parent / "docs_page"
SWAGGER_UI = Path(str(files("flask_swagger_ui"))) / "dist"
FILES = {
    "page.css": PAGE,
    "page.js": PAGE,
    "swagger-ui.css": SWAGGER_UI,
    "swagger-ui-bundle.js": SWAGGER_UI,
}
# Files of this server only, no inline script; Swagger UI's style sheet has its icons as data: URLs.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

blueprint = Blueprint("docs", __name__)


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The contract as JSON."""
    document, tag = contract()
    response = Response(document, mimetype="application/json")
    response.set_etag(tag)
    return _conditional(response)


@blueprint.get("/docs")
def page() -> Response:
    """The page of Swagger UI."""
    response = _file(PAGE / "index.html")
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


@blueprint.get("/docs/<file>")
def page_file(file: str) -> Response:
    """A file of that page."""
    if file not in FILES:
        raise NotFound
    return _file(FILES[file] / file)


@cache
def contract() -> tuple[bytes, str]:
    """specs/openapi.yaml as JSON, and its entity tag; read once per process, at first use."""
    import yaml

    document = orjson.dumps(yaml.load(CONTRACT.read_bytes(), yaml.CSafeLoader))
    return document, hashlib.sha256(document).hexdigest()


def _file(path: Path) -> Response:
    """The whole file, or 304 where the client has it; ranges are not served."""
    response = send_file(path, conditional=False)
    del response.headers["Content-Disposition"]
    return _conditional(response)


def _conditional(response: Response) -> Response:
    """304 where If-None-Match or If-Modified-Since allow it."""
    response.cache_control.no_cache = response.cache_control.no_transform = True
    response.make_conditional(request)
    del response.headers["Date"]  # the server adds one
    return response

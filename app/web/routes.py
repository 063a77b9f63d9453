"""/app/: the files of the web client."""

import flask

from app.errors import NotFound
from app.http.dispatch import DirectBlueprint
from app.http.etags import is_not_modified
from app.http.headers import POLICY
from app.http.request import current_request
from app.web.files import client

# Copies may be kept, and are asked for again by their tag: a service worker decides what is used.
CACHED = "no-cache, no-transform"

blueprint = DirectBlueprint("web", __name__)


@blueprint.get("/app")
def without_slash() -> flask.Response:
    """Leads to the page, whose addresses are relative to /app/."""
    return flask.Response(status=308, headers={"Location": "/app/"})


@blueprint.get("/app/")
def page() -> flask.Response:
    """The page of the web client."""
    return _response("")


@blueprint.get("/app/<file>")
def page_file(file: str) -> flask.Response:
    """A file of the page."""
    return _response(file)


@blueprint.get("/app/<folder>/<file>")
def folder_file(folder: str, file: str) -> flask.Response:
    """A file of the page that is in a folder."""
    return _response(f"{folder}/{file}")


def _response(name: str) -> flask.Response:
    """The file, by gzip where the browser takes that; 304 where it has it already."""
    web = client()
    file = web.files.get(name)
    if file is None:
        raise NotFound
    body, tag, coding = file.body, file.digest.hex(), {}
    if file.gzipped is not None and _takes_gzip():
        body, tag, coding = file.gzipped, f"{tag}-gzip", {"Content-Encoding": "gzip"}
    response = flask.Response(status=304) if is_not_modified(tag) else flask.Response(body)
    if response.status_code == 200:
        response.headers.update({"Content-Type": file.media_type, **coding})
    else:
        del response.headers["Content-Type"]
    response.headers.update({"ETag": f'"{tag}"', "Cache-Control": CACHED, POLICY: web.policy})
    if file.gzipped is not None:
        response.headers["Vary"] = "Accept-Encoding"
    return response


def _takes_gzip() -> bool:
    return flask.Request(current_request().environ).accept_encodings["gzip"] > 0

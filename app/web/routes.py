"""/app/: the files of the web client."""

import flask

from app.errors import NotFound
from app.http.accepting import accepts_gzip
from app.http.dispatch import DirectBlueprint
from app.http.etags import is_not_modified
from app.http.headers import POLICY
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
    response = flask.Response(file.body, content_type=file.media_type)
    tag = file.digest.hex()
    if file.gzipped is not None:
        response.headers["Vary"] = "Accept-Encoding"
        if accepts_gzip():
            response.data, tag = file.gzipped, f"{tag}-gzip"
            response.headers["Content-Encoding"] = "gzip"
    response.headers.update({"ETag": f'"{tag}"', "Cache-Control": CACHED, POLICY: web.policy})
    if is_not_modified(tag):
        response.status_code = 304
    return response

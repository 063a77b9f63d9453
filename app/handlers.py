"""What happens around every request: its id, its headers, and the answer when something breaks."""

import logging

import psycopg
from flask import Flask, Response, current_app
from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import HTTPException

from app import web
from app.config import Config
from app.errors import (
    HTTP_ERRORS,
    AppError,
    Internal,
    Unavailable,
    from_database,
    from_gunicorn,
)
from app.operations import edge, records, tracking

NOT_STORED = ("Cache-Control", "no-store")
OWN = [("Cache-Control", "private, no-cache"), ("Vary", "Authorization")]

log = logging.getLogger(__name__)


def register(app: Flask, config: Config) -> None:
    """Hooks all of this module into the application."""
    records.register(app)  # the first of what goes in, the last of what comes out
    app.before_request(web.take_request_id)
    edge.register(app, config)
    app.before_request(_options)
    app.after_request(_headers)
    app.register_error_handler(AppError, web.failure)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(psycopg.Error, _database_error)
    for kind in (ParseException, NoMoreData):
        app.register_error_handler(kind, _body_error)
    app.register_error_handler(Exception, _internal_error)


def _options() -> Response | None:
    """Which methods an address takes: no secret, and asked by browsers before they log in."""
    request = web.this_request()
    if request.method != "OPTIONS" or request.url_rule is None:
        return None
    response = web.success(b"null")
    response.headers["Allow"] = current_app.make_default_options_response().headers["Allow"]
    return response


def _headers(response: Response) -> Response:
    request = web.this_request()
    headers = [("X-Request-Id", request.request_id), *request.rate_limit_headers.items()]
    if request.path.startswith("/api/auth"):
        headers.append(NOT_STORED)
    elif request.path.startswith("/api/"):
        headers += OWN
    elif "Cache-Control" not in response.headers:
        headers.append(NOT_STORED)
    web.add_headers(response, headers)
    return response


def _http_error(error: HTTPException) -> Response:
    """Werkzeug's own errors, such as 404 and 405, in the envelope and with their headers."""
    kind = HTTP_ERRORS.get(error.code or 500, Internal)
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    response = web.failure(kind())
    response.headers.extend(kept)
    return response


def _database_error(error: psycopg.Error) -> Response:
    answer = from_database(error)
    if isinstance(answer, Internal):
        return _internal_error(error)
    if isinstance(answer, Unavailable):
        log.warning("database unavailable: %s %s", error.sqlstate, type(error).__name__)
    return web.failure(answer)


def _body_error(error: Exception) -> Response:
    """The server parses a chunked body only while it is read."""
    return web.failure(from_gunicorn(error))


def _internal_error(error: Exception) -> Response:
    log.error("the request failed", exc_info=error)
    tracking.report(current_app, error)
    return web.failure(Internal())

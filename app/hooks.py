"""What happens around every request: its id, its clock, its headers, and the answer to an error."""

import logging

import flask
import psycopg
from werkzeug.exceptions import HTTPException

from app.config import Config
from app.db.errors import error_for
from app.errors import HTTP_ERRORS, AppError, Internal, NotFound, Unavailable
from app.http import headers, proxy
from app.http.dispatch import Application
from app.http.request import assign_request_id, current_request
from app.http.responses import JsonResponse, failure, success
from app.observability import request_log, sentry

log = logging.getLogger(__name__)


def register(app: Application, config: Config) -> None:
    """Registers all hooks; those after a request run in reverse order."""
    if config.forwarded_allow_ips:
        app.before_matching(proxy.trusted_proxies(config.forwarded_allow_ips))
    request_log.register(app)
    app.before_request(assign_request_id)
    app.before_request(proxy.check_host)
    if config.allowed_hosts:
        app.before_request(proxy.allowed_hosts(config.allowed_hosts))
    app.before_request(_refuse_empty_segment)
    app.before_request(_answer_options)
    app.after_request(headers.response_headers(config.cors_origins))
    app.answer_errors(error_response)


def _refuse_empty_segment() -> None:
    """Werkzeug strips leading slashes: //api/me/tasks would be /api/me/tasks."""
    if current_request().path.startswith("//"):
        raise NotFound


def _answer_options() -> JsonResponse | None:
    """The methods of a path, which are no secret; browsers ask before they authenticate."""
    request = current_request()
    if request.method != "OPTIONS" or request.route is None:
        return None
    response = success(b"null")
    allow = flask.current_app.make_default_options_response().headers["Allow"]
    response.headers.append(("Allow", allow))
    return response


def error_response(error: Exception) -> JsonResponse:
    """The answer to any exception of a hook or a view."""
    if isinstance(error, AppError):
        return failure(error)
    if isinstance(error, HTTPException):
        return _http_error(error)
    if isinstance(error, psycopg.Error):
        return _database_error(error)
    return _internal_error(error)


def _http_error(error: HTTPException) -> JsonResponse:
    """Werkzeug's own errors, such as 404 and 405, with the headers that belong to them."""
    response = failure(HTTP_ERRORS.get(error.code or 500, Internal)())
    kept = [pair for pair in error.get_headers() if pair[0] in ("Allow", "Retry-After")]
    response.headers.extend(kept)
    return response


def _database_error(error: psycopg.Error) -> JsonResponse:
    answer = error_for(error)
    if isinstance(answer, Internal):
        return _internal_error(error)
    if isinstance(answer, Unavailable):
        log.warning("database unavailable: %s %s", error.sqlstate, type(error).__name__)
    return failure(answer)


def _internal_error(error: Exception) -> JsonResponse:
    log.error("the request failed", exc_info=error)
    sentry.report(current_request().app, error)
    return failure(Internal())

"""Outside /api: an index of the service, liveness, readiness and metrics."""

import hmac
from typing import cast

import flask
import orjson
from prometheus_client import CONTENT_TYPE_LATEST

from app import __version__
from app.config import Config
from app.errors import NotFound, NotReady, Unauthenticated
from app.http.accepting import prefers_html
from app.http.authorization import bearer_token
from app.http.dispatch import DirectBlueprint
from app.http.request import current_request
from app.http.responses import JsonResponse, success
from app.observability.metrics import Metrics
from app.system import health

blueprint = DirectBlueprint("system", __name__)


@blueprint.get("/")
def index() -> JsonResponse:
    """The service's name, version and main addresses; a browser is led to the web client."""
    if prefers_html():
        response = JsonResponse(None, 303)
        response.headers += [("Location", "/app/"), ("Vary", "Accept")]
        return response
    links = {
        "app": "/app/",
        "docs": "/docs",
        "openapi": "/openapi.json",
        "register": "/api/auth/register",
        "login": "/api/auth/login",
        "tasks": "/api/me/tasks",
        "live": "/livez",
        "ready": "/readyz",
    }
    response = success(orjson.dumps({"name": "Ownrow", "version": __version__, "links": links}))
    response.headers.append(("Vary", "Accept"))
    return response


@blueprint.get("/livez")
def livez() -> JsonResponse:
    """Liveness: the process answers; nothing else is touched."""
    return success(b'{"status":"alive"}')


@blueprint.get("/readyz")
def readyz() -> JsonResponse:
    """Readiness: 503 unless the database is usable and has this code's schema."""
    problems = health.problems(sets_owner=_config().db_row_security)
    if problems:
        raise NotReady(problems)
    return success(b'{"status":"ready"}')


@blueprint.get("/metrics")
def metrics() -> flask.Response:
    """Metrics in Prometheus' text format; 404 unless METRICS_TOKEN is set."""
    config = _config()
    if config.metrics_token is None:
        raise NotFound
    given = bearer_token(current_request())
    if not hmac.compare_digest(given.encode(), config.metrics_token.encode()):
        raise Unauthenticated(invalid=True)
    text = cast("Metrics", current_request().app.extensions["metrics"]).text()
    return flask.Response(text, content_type=CONTENT_TYPE_LATEST)


def _config() -> Config:
    return cast("Config", current_request().app.extensions["settings"])

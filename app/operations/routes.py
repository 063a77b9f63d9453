"""Outside /api: whether the process lives, whether it can serve, and where everything is."""

import hmac
from typing import cast

import orjson
from flask import Blueprint, Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST

import app
from app import db, web
from app.config import Config
from app.errors import NotFound, NotReady, Unauthenticated
from app.operations import health
from app.operations.metrics import Metrics

READY_TIMEOUT = 1.5  # seconds; a probe waits two

blueprint = Blueprint("operations", __name__)


@blueprint.get("/")
def index() -> Response:
    links = {
        "docs": "/docs",
        "openapi": "/openapi.json",
        "register": "/api/auth/register",
        "login": "/api/auth/login",
        "tasks": "/api/me/tasks",
        "live": "/livez",
        "ready": "/readyz",
    }
    return web.success(orjson.dumps({"name": "Ownrow", "version": app.__version__, "links": links}))


@blueprint.get("/livez")
def livez() -> Response:
    return web.success(b'{"status":"alive"}')


@blueprint.get("/readyz")
def readyz() -> Response:
    db.allow(READY_TIMEOUT)
    problems = health.problems(tells_owner=_config().db_row_security)
    if problems:
        raise NotReady(problems)
    return web.success(b'{"status":"ready"}')


@blueprint.get("/metrics")
def metrics() -> Response:
    config = _config()
    if config.metrics_token is None:
        raise NotFound
    given = request.headers.get("Authorization")
    if given is None:
        raise Unauthenticated
    if not hmac.compare_digest(given.encode(), f"Bearer {config.metrics_token}".encode()):
        raise Unauthenticated(invalid=True)
    text = cast("Metrics", current_app.extensions["metrics"]).text()
    return Response(text, content_type=CONTENT_TYPE_LATEST)


def _config() -> Config:
    return cast("Config", current_app.extensions["settings"])

"""Outside /api: whether the process lives, whether it can serve, and where everything is."""

import orjson
from flask import Blueprint, Response

import app
from app import db, migrations, web
from app.errors import Unavailable

SCHEMA_VERSION = db.load("operations/schema_version")

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
    applied = {row.migration_id for row in db.fetch_all(SCHEMA_VERSION, {})}
    if not applied.issuperset(migrations.known()):
        raise Unavailable
    return web.success(b'{"status":"ready"}')

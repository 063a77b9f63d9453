"""The application, put together of its parts: settings, pool, errors, blueprints, commands."""

import hashlib
import hmac

from flask import Flask

from app import __version__, db, handlers
from app.auth import refresh
from app.auth.guesses import Fingerprints
from app.auth.passwords import Passwords
from app.auth.revocations import Revocations
from app.auth.routes import account
from app.auth.routes import blueprint as auth
from app.auth.tokens import AccessTokens
from app.commands import Commands
from app.config import Config
from app.dispatch import Application
from app.docs.routes import blueprint as docs
from app.operations import limits, tracking
from app.operations.logs import RequestLog
from app.operations.metrics import Metrics
from app.operations.routes import blueprint as operations
from app.tasks.routes import blueprint as tasks


def assemble(config: Config) -> Flask:
    """See app.create_app."""
    app = Application("app", static_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    secrets = list(config.jwt_secrets.values())
    app.config["REFRESH_KEYS"] = refresh.keys(secrets)
    app.config["CURSOR_KEYS"] = [
        hmac.digest(secret.encode(), b"cursor", hashlib.sha256) for secret in secrets
    ]
    app.extensions["settings"] = config
    app.extensions["access_tokens"] = AccessTokens(config)
    app.extensions["passwords"] = Passwords(config.bcrypt_cost, config.web_threads)
    app.extensions["fingerprints"] = Fingerprints(secrets)
    app.extensions["revocations"] = Revocations()
    app.extensions["metrics"] = Metrics(__version__)
    app.extensions["request_log"] = RequestLog(config.log_level, config.log_format)
    db.configure(config)
    tracking.register(app, config, __version__)
    handlers.register(app, config)
    for blueprint in (auth, account, tasks, operations, docs):
        app.register_blueprint(blueprint)
    limits.register(app, config)
    app.cli = Commands()
    return app

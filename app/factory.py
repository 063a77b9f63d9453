"""The application factory: settings, services, hooks and blueprints put together."""

import hashlib
import hmac

from flask import Flask

from app import __version__, db, hooks
from app.auth.access_tokens import AccessTokens
from app.auth.api_tokens import ApiTokens
from app.auth.encryption import Encryption
from app.auth.ended_sessions import EndedSessions
from app.auth.link_routes import account as account_links
from app.auth.link_routes import blueprint as links
from app.auth.login_throttle import KeyedHashes
from app.auth.mailed_links import MailedLinks
from app.auth.passwords import Passwords
from app.auth.refresh_tokens import RefreshTokens
from app.auth.remembered import Remembered
from app.auth.routes import account
from app.auth.routes import blueprint as auth
from app.auth.secrets import Secrets
from app.cli import Commands
from app.config import Config
from app.events.routes import blueprint as events
from app.feeds.routes import blueprint as feeds
from app.feeds.routes import public as calendar
from app.filters.routes import blueprint as filters
from app.http.dispatch import Application
from app.imports.routes import blueprint as imports
from app.kinds import KINDS
from app.kinds.routes import blueprint as kinds
from app.labels.routes import blueprint as labels
from app.lists.routes import blueprint as lists
from app.mail.messages import Messages
from app.mcp.routes import blueprint as mcp
from app.observability import sentry
from app.observability.logs import RequestLog
from app.observability.metrics import Metrics
from app.ratelimit import limits
from app.system.docs import blueprint as docs
from app.system.routes import blueprint as system
from app.tasks.routes import blueprint as tasks
from app.web.routes import blueprint as web
from app.webhooks.receivers import Receivers, networks
from app.webhooks.routes import blueprint as webhooks

ACCOUNTS = (auth, account, links, account_links)


def create_app(config: Config) -> Flask:
    """See app.create_app."""
    app = Application("app", static_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    secrets = list(config.jwt_secrets.values())
    app.extensions["settings"] = config
    app.extensions["access_tokens"] = AccessTokens(config)
    app.extensions["api_tokens"] = ApiTokens()
    app.extensions["refresh_tokens"] = RefreshTokens(secrets)
    app.extensions["cursor_keys"] = [
        hmac.digest(secret.encode(), b"cursor", hashlib.sha256) for secret in secrets
    ]
    app.extensions["passwords"] = Passwords(config.bcrypt_cost, config.web_threads)
    app.extensions["keyed_hashes"] = KeyedHashes(secrets)
    app.extensions["encryption"] = Encryption(config.encryption_keys)
    app.extensions["kinds"] = KINDS
    app.extensions["messages"] = Messages(config.public_url)
    app.extensions["mailed_links"] = MailedLinks(app.extensions["messages"], secrets)
    app.extensions["verified_accounts"] = (
        Remembered() if config.email_verification == "required" else None
    )
    app.extensions["ended_sessions"] = EndedSessions()
    app.extensions["known_sessions"] = Remembered()
    app.extensions["receivers"] = Receivers(networks(config.webhook_allow))
    app.extensions["webhook_secrets"] = Secrets(app.extensions["encryption"], "webhook")
    app.extensions["feed_secrets"] = Secrets(app.extensions["encryption"], "feed")
    app.extensions["metrics"] = Metrics(__version__)
    app.extensions["request_log"] = RequestLog(config.log_level, config.log_format)
    db.configure(config)
    sentry.register(app, config, __version__)
    hooks.register(app, config)
    for blueprint in (
        *ACCOUNTS, tasks, lists, labels, filters, webhooks, events, feeds, calendar, kinds, imports,
        mcp, system, docs, web,
    ):  # fmt: skip
        app.register_blueprint(blueprint)
    limits.register(app, config)
    app.cli = Commands()
    return app

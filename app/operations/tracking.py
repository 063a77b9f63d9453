"""Errors of ours, told to a Sentry where SENTRY_DSN names one; without what people sent us."""

from typing import TYPE_CHECKING

from flask import Flask

from app import web
from app.config import Config
from app.operations.logs import error_message

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

FLUSH_TIMEOUT = 2.0  # seconds that a worker's end waits for what is still to be sent


def register(app: Flask, config: Config, release: str) -> None:
    """Connects to SENTRY_DSN; does nothing where it is unset."""
    if config.sentry_dsn is None:
        return
    import sentry_sdk

    app.extensions["sentry"] = sentry_sdk
    sentry_sdk.init(
        config.sentry_dsn,
        release=f"ownrow@{release}",
        environment=config.app_env,
        # Nothing is collected by itself: no bodies, headers, breadcrumbs, arguments or variables.
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=_scrub,
    )


def report(app: Flask, error: BaseException) -> None:
    """Tells of an error, and in which request it happened."""
    sentry = app.extensions.get("sentry")
    if sentry is None:
        return
    with sentry.new_scope() as scope:
        request = web.current.get(None)
        if request is not None:
            scope.set_tag("request_id", request.request_id)
            scope.set_tag("route", getattr(request.url_rule, "rule", "unmatched"))
            scope.set_tag("method", request.method)
        scope.capture_exception(error)


def flush(app: Flask) -> None:
    """Sends what has not been sent yet."""
    sentry = app.extensions.get("sentry")
    if sentry is not None:
        sentry.flush(FLUSH_TIMEOUT)


def _scrub(event: "Event", hint: "Hint") -> "Event":
    """Says of each error in the chain what the log would say."""
    told = [error_message(each) for each in _chain(hint["exc_info"][1])]
    values = event.get("exception", {}).get("values", [])
    for value, message in zip(reversed(values), told, strict=False):
        value["value"] = message
    for value in values[: max(0, len(values) - len(told))]:
        value["value"] = ""
    return event


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and what it came from, the newest first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain

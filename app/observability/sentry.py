"""Reports the service's own errors to SENTRY_DSN, without request data."""

from typing import TYPE_CHECKING

from flask import Flask

from app.config import Config
from app.http.request import request_if_any
from app.observability.logs import error_message

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

FLUSH_TIMEOUT = 2.0  # seconds that an ending worker waits for unsent reports


def register(app: Flask, config: Config, release: str) -> None:
    """Initialises the client of SENTRY_DSN; does nothing where it is unset."""
    if config.sentry_dsn is None:
        return
    import sentry_sdk

    app.extensions["sentry"] = sentry_sdk
    sentry_sdk.init(
        config.sentry_dsn,
        release=f"ownrow@{release}",
        environment=config.app_env,
        # No automatic data: no bodies, headers, breadcrumbs, arguments or variables.
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=_scrub,
    )


def report(app: Flask, error: BaseException) -> None:
    """Reports an error with the request's id, route and method."""
    sentry = app.extensions.get("sentry")
    if sentry is None:
        return
    with sentry.new_scope() as scope:
        request = request_if_any()
        if request is not None:
            scope.set_tag("request_id", request.request_id)
            scope.set_tag("route", request.route or "unmatched")
            scope.set_tag("method", request.method)
        scope.capture_exception(error)


def flush(app: Flask) -> None:
    """Sends pending reports."""
    sentry = app.extensions.get("sentry")
    if sentry is not None:
        sentry.flush(FLUSH_TIMEOUT)


def _scrub(event: "Event", hint: "Hint") -> "Event":
    """Replaces each error's text by the one in the log, which has no values."""
    messages = [error_message(each) for each in _chain(hint["exc_info"][1])]
    values = event.get("exception", {}).get("values", [])
    for value, message in zip(reversed(values), messages, strict=False):
        value["value"] = message
    for value in values[: max(0, len(values) - len(messages))]:
        value["value"] = ""
    return event


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and its causes, the newest first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain

"""What is kept of each request: its time, in the metrics and as a line of the log."""

import re
from collections.abc import Sequence
from functools import cache
from time import monotonic
from typing import Any

from flask import Flask, Response

from app import db, web
from app.operations.logs import RequestLog, statement_times
from app.operations.metrics import Metrics

DEADLINE = 4.5  # seconds; what remains of five is for asking the database to stop
CONVERTER = re.compile(r"<\w+:")
TRACEPARENT = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@cache
def _template(rule: str) -> str:
    """The rule as the contract has it, without the names of converters."""
    return CONVERTER.sub("<", rule)


def register(app: Flask) -> None:
    """Has every request timed, counted and logged."""

    def finish(response: Response) -> Response:
        """Where the body is streamed, when that has ended."""
        metrics: Metrics = app.extensions["metrics"]
        log: RequestLog = app.extensions["request_log"]
        request, status = web.this_request(), response.status_code
        route = "unmatched" if request.url_rule is None else _template(request.url_rule.rule)
        fields = _fields(request, route, status, db.end_request())
        if request.error_code is not None:
            metrics.count_refusal(request.error_code)
        if request.endpoint == "auth.login" and request.method == "POST":
            metrics.count_login(status)

        def record() -> None:
            seconds = monotonic() - request.began
            metrics.observe(route, request.method, status, seconds)
            log.write(status, {**fields, "duration_ms": round(seconds * 1000, 3)})

        if response.is_streamed:
            response.call_on_close(record)
        else:
            record()
        return response

    app.before_request(_begin)
    app.after_request(finish)


def _begin() -> None:
    """Starts the request's clocks."""
    web.this_request().began = monotonic()
    db.begin_request(DEADLINE)


def _fields(
    request: web.Request, route: str, status: int, timings: Sequence[tuple[str, float]]
) -> dict[str, Any]:
    traceparent = request.environ.get("HTTP_TRACEPARENT")
    is_trace = traceparent is not None and TRACEPARENT.fullmatch(traceparent)
    return {
        "request_id": request.request_id,
        "traceparent": traceparent if is_trace else None,
        "method": request.method,
        "route": route,
        "status": status,
        "error": request.error_code,
        "user_id": None if request.identity is None else request.identity.owner_id,
        "statements": statement_times(timings),
    }

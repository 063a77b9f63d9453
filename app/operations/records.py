"""What is kept of each request: its time, in the metrics and as a line of the log."""

import re
from collections.abc import Sequence
from functools import cache
from time import monotonic
from typing import Any, cast

from flask import Response, current_app, g, request

from app import db
from app.operations.logs import RequestLog, statement_times
from app.operations.metrics import Metrics

DEADLINE = 4.5  # seconds; what remains of five is for asking the database to stop
CONVERTER = re.compile(r"<\w+:")
TRACEPARENT = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@cache
def _template(rule: str) -> str:
    """The rule as the contract has it, without the names of converters."""
    return CONVERTER.sub("<", rule)


def begin() -> None:
    """Starts the request's clocks."""
    g.began = monotonic()
    db.begin_request(DEADLINE)


def finish(response: Response) -> Response:
    """Counts and logs the request; where its body is streamed, when that has ended."""
    timings = db.end_request()
    metrics = cast("Metrics", current_app.extensions["metrics"])
    log = cast("RequestLog", current_app.extensions["request_log"])
    route = "unmatched" if request.url_rule is None else _template(request.url_rule.rule)
    method, status, began = request.method, response.status_code, g.began
    fields = _fields(route, status, timings)
    if "error_code" in g:
        metrics.count_refusal(g.error_code)
    if request.endpoint == "auth.login" and method == "POST":
        metrics.count_login(status)

    def record() -> None:
        seconds = monotonic() - began
        metrics.observe(route, method, status, seconds)
        log.write(status, {**fields, "duration_ms": round(seconds * 1000, 3)})

    if response.is_streamed:
        response.call_on_close(record)
    else:
        record()
    return response


def _fields(route: str, status: int, timings: Sequence[tuple[str, float]]) -> dict[str, Any]:
    traceparent = request.environ.get("HTTP_TRACEPARENT", "")
    return {
        "request_id": g.request_id,
        "traceparent": traceparent if TRACEPARENT.fullmatch(traceparent) else None,
        "method": request.method,
        "route": route,
        "status": status,
        "error": g.get("error_code"),
        "user_id": g.identity.owner_id if "identity" in g else None,
        "statements": statement_times(timings),
    }

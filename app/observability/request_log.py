"""What is recorded of each request: its duration in the metrics, and a line of the log."""

import re
from collections.abc import Sequence
from time import monotonic
from typing import Any

import flask
from flask import Flask

from app import db
from app.http.request import Request, current_request
from app.http.responses import Response
from app.observability.logs import RequestLog, statement_times
from app.observability.metrics import Metrics

DEADLINE = 4.5  # seconds; of a client's five, the rest is for cancelling a statement
TRACEPARENT = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def register(app: Flask) -> None:
    """Has every request timed, counted and logged; the first hook, so the last one afterwards."""

    def record(response: Response) -> Response:
        """Records the request now, or at the end of a streamed body."""
        metrics: Metrics = app.extensions["metrics"]
        log: RequestLog = app.extensions["request_log"]
        request, status = current_request(), response.status_code
        route = request.route or "unmatched"
        fields = _fields(request, route, status, db.end_request())
        if request.error_code is not None:
            metrics.count_refusal(request.error_code)
        if request.endpoint == "auth.login" and request.method == "POST":
            metrics.count_login(status)
        if request.tool is not None:
            fields["tool"] = request.tool
            metrics.count_tool_call(request.tool, is_done=request.error_code is None)

        def finish() -> None:
            seconds = monotonic() - request.began
            metrics.observe(route, request.method, status, seconds)
            log.write(status, {**fields, "duration_ms": round(seconds * 1000, 3)})

        if isinstance(response, flask.Response) and response.is_streamed:
            response.call_on_close(finish)
        else:
            finish()
        return response

    app.before_request(_begin)
    app.after_request(record)


def _begin() -> None:
    """Starts the request's clocks."""
    current_request().began = monotonic()
    db.begin_request(DEADLINE)


def _fields(
    request: Request, route: str, status: int, timings: Sequence[tuple[str, float]]
) -> dict[str, Any]:
    traceparent = request.header("TRACEPARENT")
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

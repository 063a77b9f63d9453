"""The log: a JSON object per line, or in development a readable line; without secrets."""

import json
import logging
import os
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg

from app.config import Config
from app.db.errors import cause
from app.http.request import request_if_any

STDERR = 2
SECRETS = (
    (re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]*"), "[hash]"),
    # Matches from a word's beginning only: linear time in a long word without @.
    (re.compile(r"(?<![^\s@\"'<>()=:,/])[^\s@\"'<>()=:,/]++@[^\s@\"'<>()=:,/]+"), "[e-mail]"),
    # Matches a word without a dot, too: else each eyJ in it would read the word to its end.
    (re.compile(r"eyJ[\w-]*+(\.[\w-]*+){0,2}|[A-Za-z0-9_-]{40,}"), "[token]"),
)
LINE_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


def settings(config: Config) -> dict[str, Any]:
    """The dictionary for logging.config: one handler for all loggers, gunicorn's included."""
    level = logging.getLevelNamesMapping()[config.log_level.upper()]
    through_root = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"log": {"()": "app.observability.logs.Handler", "style": config.log_format}},
        "root": {"level": level, "handlers": ["log"]},
        "loggers": {
            # Below info it logs paths, which may hold secrets.
            "gunicorn.error": {**through_root, "level": max(logging.INFO, level)},
            "gunicorn.access": through_root,
            "psycopg": {"level": "WARNING"},  # it logs every checkout
        },
    }


class Handler(logging.Handler):
    """Writes each record with one system call, so that lines of processes don't mix."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self._render = RENDERERS[style]

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record without secrets, with the request's id."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _scrubbed(message(record)),
        }
        request = request_if_any()
        if request is not None and request.request_id:
            fields["request_id"] = request.request_id
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = list(_stack(record.exc_info[1]))
        os.write(STDERR, self._render(fields))


class RequestLog:
    """A line per request; above the level info, per failed request."""

    def __init__(self, level: str, style: str) -> None:
        self._shows_all = level in ("debug", "info")
        self._render = RENDERERS[style]

    def write(self, status: int, fields: Mapping[str, Any]) -> None:
        """Writes a line with these fields."""
        failed = status >= 500 and status != 501  # a client can ask for what is not implemented
        if failed or self._shows_all:
            level = "error" if failed else "info"
            line = {"time": datetime.now(UTC), "level": level, "message": "request", **fields}
            os.write(STDERR, self._render(line))


def statement_times(timings: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    """Statements as a line shows them, from seconds to milliseconds."""
    return [{"name": name, "ms": round(seconds * 1000, 3)} for name, seconds in timings]


def _json(fields: Mapping[str, Any]) -> bytes:
    """ASCII only: some programs end a line at U+0085 or U+2028 as well."""
    line = orjson.dumps(fields, option=LINE_OPTIONS)
    return line if line.isascii() else json.dumps(orjson.loads(line)).encode() + b"\n"


def _console(fields: Mapping[str, Any]) -> bytes:
    known = ("time", "level", "message", "exception", "statements")
    rest = {name: value for name, value in fields.items() if name not in known}
    statements = [f"{each['name']}={each['ms']}ms" for each in fields.get("statements", ())]
    parts = [
        f"{fields['time']:%H:%M:%S} {fields['level'].upper():7}",
        str(fields["message"]),
        *(f"{name}={value}" for name, value in rest.items() if value is not None),
        *statements,
    ]
    lines = [" ".join(_printable(part) for part in parts)]
    lines += [f"    {_printable(line)}" for line in fields.get("exception", ())]
    return "\n".join([*lines, ""]).encode()


RENDERERS = {"json": _json, "console": _console}


def _printable(text: str) -> str:
    """Control characters, line ends and the like as their escapes."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def message(record: logging.LogRecord) -> str:
    """The record's text; an error among its arguments, as of psycopg's pool, is shown safely."""
    if not isinstance(record.args, tuple):
        return record.getMessage()
    shown = [
        error_message(each) if isinstance(each, BaseException) else each for each in record.args
    ]
    return str(record.msg) % tuple(shown) if shown else str(record.msg)


def _scrubbed(text: str) -> str:
    for pattern, name in SECRETS:
        text = pattern.sub(name, text)
    return text


def _stack(error: BaseException) -> Iterator[str]:
    """The error's text and stack, cause by cause, without values of variables."""
    yield f"{type(error).__name__}: {error_message(error)}"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"at {frame.filename}:{frame.lineno} in {frame.name}"
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _stack(earlier)


def error_message(error: BaseException) -> str:
    """The error's text for the log.

    PostgreSQL's messages quote rows and parameters: of them only the SQLSTATE is used. Those of
    libpq quote the URL: they are replaced.
    """
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        place = error.diag.constraint_name or error.diag.table_name or ""
        return f"SQLSTATE {error.sqlstate} {place}".rstrip()
    if isinstance(error, psycopg.Error):
        return cause(error)
    return _scrubbed(str(error))

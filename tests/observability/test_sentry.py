"""Events for Sentry, as a local HTTP server receives them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from flask import Flask

from app import create_app, db
from app.config import Config
from app.observability import sentry
from tests.support.api_user import PASSWORD, register
from tests.support.sentry_sink import Sink

CANARIES = ("canary@example.com", "canary-text", PASSWORD, "eyJ")


@contextmanager
def tracked(config: Config, sink: Sink | None) -> Iterator[Flask]:
    app = create_app(replace(config, sentry_dsn=sink.dsn if sink else None))
    yield app
    db.close_pool()


def break_everything(app: Flask, database_url: str) -> None:
    """Raises an error of Python and one of PostgreSQL, with the canaries in them and around."""

    def broken() -> str:
        secret = "canary-text"  # noqa: F841  # many trackers send local variables
        try:
            raise KeyError("canary@example.com")  # noqa: TRY301
        except KeyError as error:
            raise ValueError(f"no account of canary@example.com with {token}") from error

    app.add_url_rule("/broken", view_func=broken, methods=["POST"])
    client = app.test_client()
    alice = register(client)
    token = alice.access_token
    alice.call("POST", "/broken?q=canary-text", json={"password": PASSWORD, "text": "canary-text"})
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE tasks ADD CONSTRAINT odd CHECK (title <> 'canary-text')")
    answer = alice.post(json={"title": "canary-text", "description": "canary@example.com"})
    assert answer.status_code == 500


@pytest.mark.proves("OPS-82")
def test_an_event_has_the_place_of_its_error_and_no_data_of_users(
    config: Config, database_url: str, sink: Sink
) -> None:
    with tracked(config, sink) as app:
        break_everything(app, database_url)
        sentry.flush(app)
    events = [json.loads(text.splitlines()[2]) for text in sink.received]
    kinds = [[each["type"] for each in event["exception"]["values"]] for event in events]
    assert kinds == [["KeyError", "ValueError"], ["CheckViolation"]]
    values = [each["value"] for event in events for each in event["exception"]["values"]]
    assert values == ["'[e-mail]'", "no account of [e-mail] with [token]", "SQLSTATE 23514 odd"]
    assert [event["tags"]["route"] for event in events] == ["/broken", "/api/<user_id>/tasks"]
    assert all(event["tags"]["request_id"] for event in events)
    assert events[0]["release"].startswith("ownrow@")
    assert "in_app" in "".join(sink.received)
    values_sent = "".join(json.dumps({**event, "exception": None}) for event in events)
    frames = [
        frame
        for event in events
        for each in event["exception"]["values"]
        for frame in each["stacktrace"]["frames"]
    ]
    assert not [frame for frame in frames if "vars" in frame]
    assert not [canary for canary in CANARIES if canary in values_sent + "".join(values)]


def test_client_errors_are_not_reported(config: Config, sink: Sink) -> None:
    with tracked(config, sink) as app:
        client = app.test_client()
        assert client.get("/nowhere").status_code == 404
        assert client.post("/api/auth/login", json={}).status_code == 422
        sentry.flush(app)
    assert sink.received == []


def test_without_a_dsn_nothing_is_loaded_or_sent(config: Config, database_url: str) -> None:
    with tracked(config, None) as app:
        break_everything(app, database_url)
        assert "sentry" not in app.extensions

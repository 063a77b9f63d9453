"""Event streams behind nginx with deploy/nginx.conf."""

import http.client
from pathlib import Path

import pytest

from app.config import Config
from tests.deploy.test_nginx import fronted
from tests.support.events import EventStream, head, streaming
from tests.support.remote_user import sign_up


@pytest.mark.slow
@pytest.mark.proves("EVENT-12", "EVENT-4")
def test_nginx_passes_each_event_on_at_once_and_keeps_a_silent_stream(
    config: Config, database_url: str, tmp_path: Path
) -> None:
    with (
        streaming(tmp_path, config, FORWARDED_ALLOW_IPS="127.0.0.1/32") as events,
        fronted(database_url, tmp_path, events.port) as front,
    ):
        user = sign_up(front.server)
        connection = front.connect()
        connection.sendall(head("GET", "/api/me/events", user.authorization))
        response = http.client.HTTPResponse(connection, method="GET")
        response.begin()
        connection.settimeout(None)
        with EventStream(connection, response) as stream:
            assert (stream.status, stream.headers["Content-Type"]) == (200, "text/event-stream")
            for version in (0, 1, 2, 3):
                event = stream.next()
                assert event is not None
                assert event.id == version
                user.create("one more")
            event = stream.next()
            assert event is not None
            assert stream.is_silent(45), "longer than nginx waits for an upstream that is silent"
            assert stream.comments >= 2
            events.end()
            assert stream.next() is None
        refused = front.request("GET", "/api/me/events", headers=user.authorization)
        assert (refused.status, refused.json["error"]["code"]) == (503, "UNAVAILABLE")
        assert refused.headers["Retry-After"] == "1"

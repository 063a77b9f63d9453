"""`flask worker` as a process: its health, its heartbeat, its end, and its database going away."""

import signal
from functools import partial
from pathlib import Path

import psycopg
import pytest

from app.config import Config
from tests.support import services
from tests.support.api_user import ApiUser
from tests.support.faults.postgres import postgres
from tests.support.mail import Inbox, enqueue, mail_server, reminder
from tests.support.postbox import LINK, text_of
from tests.support.processes import until
from tests.support.roles import as_role
from tests.support.services import FlaskCommand, free_port
from tests.support.worker import get, start, working

TOKEN = "the-token-of-metrics"
MAKE_DUE = "UPDATE outgoing_mail SET next_step_at = now() WHERE text IS NOT NULL"
SEEN = "SELECT count(*) FROM worker_heartbeats WHERE seen_at > now() - interval '10 seconds'"


def seen(connection: psycopg.Connection) -> int:
    """The number of workers with a fresh heartbeat."""
    row = connection.execute(SEEN).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.proves("WORKER-1", "MAIL-1")
def test_a_worker_sends_mail_as_it_comes(alice: ApiUser, config: Config, tmp_path: Path) -> None:
    with mail_server() as (url, inbox), working(tmp_path, config, SMTP_URL=url):
        sent = [enqueue(alice.id, reminder(alice.email)).message_id]
        until(lambda: inbox.ids() == sent)
        sent.append(enqueue(alice.id, reminder(alice.email)).message_id)
        until(lambda: inbox.ids() == sent)


@pytest.mark.proves("AUTH-155", "AUTH-163")
def test_a_worker_answers_a_reset_with_a_link_that_works(
    alice: ApiUser, config: Config, tmp_path: Path
) -> None:
    asked = {"email": alice.email}
    assert alice.client.post("/api/auth/reset", json=asked).status_code == 202
    with mail_server() as (url, inbox), working(tmp_path, config, SMTP_URL=url) as worker:
        until(lambda: len(inbox.messages) == 1)
        ((link, token),) = LINK.findall(text_of(inbox.messages[0]))
        assert token not in worker.output()
    assert link == "https://todo.example.com/app/#/reset"
    fields = {"token": token, "new_password": "eight calm harbours"}
    assert alice.client.post("/api/auth/reset/confirm", json=fields).status_code == 200


@pytest.mark.proves("WORKER-3", "WORKER-4")
def test_health_and_metrics_are_served_where_worker_port_is_set(
    alice: ApiUser, config: Config, tmp_path: Path
) -> None:
    port = free_port()
    settings = {"WORKER_PORT": str(port), "METRICS_TOKEN": TOKEN}
    with mail_server() as (url, inbox), working(tmp_path, config, SMTP_URL=url, **settings):
        until(lambda: services.is_listening(port))
        assert get(port, "/livez") == (200, '{"status":"alive"}')
        assert get(port, "/")[0] == 404
        assert get(port, "/metrics")[0] == 401
        assert get(port, "/metrics", TOKEN[1:])[0] == 401
        enqueue(alice.id, reminder(alice.email))
        until(lambda: len(inbox.messages) == 1)
        line = 'ownrow_worker_results_total{job="mail",result="sent"} 1.0'
        until(lambda: line in get(port, "/metrics", TOKEN)[1])
        assert 'ownrow_worker_lag_seconds{job="mail"}' in get(port, "/metrics", TOKEN)[1]


@pytest.mark.proves("WORKER-3")
def test_metrics_are_a_404_without_a_token(config: Config, tmp_path: Path) -> None:
    port = free_port()
    with working(tmp_path, config, WORKER_PORT=str(port)):
        until(lambda: services.is_listening(port))
        assert get(port, "/metrics", TOKEN)[0] == 404


@pytest.mark.proves("WORKER-5")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_zero(
    config: Config, tmp_path: Path, number: signal.Signals
) -> None:
    with working(tmp_path, config) as worker:
        worker.process.send_signal(number)
        assert worker.process.wait(10) == 0
        assert "worker: ended" in worker.output()
        assert "Traceback" not in worker.output()


@pytest.mark.proves("WORKER-6")
def test_doctor_tells_whether_a_worker_runs_and_lags(
    config: Config, tmp_path: Path, flask: FlaskCommand, superuser: psycopg.Connection
) -> None:
    assert "note  worker: none is running" in flask("doctor").output
    with working(tmp_path, config):
        until(lambda: seen(superuser) == 1)
        assert "ok    worker: 1 running, 0 s behind" in flask("doctor").output
    superuser.execute("UPDATE worker_heartbeats SET lag_seconds = 61, seen_at = now()")
    assert "note  worker: what is due waits for 61 s" in flask("doctor").output
    superuser.execute("UPDATE worker_heartbeats SET seen_at = now() - interval '31 seconds'")
    assert "note  worker: none is running" in flask("doctor").output


@pytest.mark.proves("WORKER-6")
def test_workers_delete_the_heartbeats_of_those_that_are_gone(
    config: Config, tmp_path: Path, superuser: psycopg.Connection
) -> None:
    superuser.execute(
        "INSERT INTO worker_heartbeats (worker_id, seen_at, lag_seconds)"
        " SELECT gen_random_uuid(), now() - n * interval '40 minutes', 0"
        " FROM generate_series(1, 3) AS n"
    )
    with working(tmp_path, config):
        until(lambda: seen(superuser) == 1)
        rows = superuser.execute("SELECT count(*) FROM worker_heartbeats").fetchone()
        assert rows == (2,)


@pytest.mark.proves("MAIL-8")
def test_in_production_it_does_not_start_without_a_mail_server(
    config: Config, tmp_path: Path
) -> None:
    worker = start(tmp_path, config, APP_ENV="production")
    assert worker.process.wait(30) == 1
    assert "set SMTP_URL" in worker.output()


@pytest.mark.proves("MAIL-8")
def test_in_development_mail_is_logged_with_its_links(
    alice: ApiUser, config: Config, tmp_path: Path
) -> None:
    link = f"https://todo.example.com/app/#reset={'x' * 43}"
    enqueue(alice.id, reminder(alice.email, f"See {link}"))
    worker = start(tmp_path, config, "--once", LOG_FORMAT="json")
    assert worker.process.wait(30) == 0
    (line,) = [each for each in worker.output().splitlines() if "SMTP_URL is unset" in each]
    assert link in line
    assert alice.email not in line


def test_a_port_in_use_is_reported_in_one_sentence(config: Config, tmp_path: Path) -> None:
    port = str(free_port())
    with working(tmp_path, config, WORKER_PORT=port):
        second = start(tmp_path, config, WORKER_PORT=port)
        assert second.process.wait(30) == 1
        assert f"Can't listen on WORKER_PORT {port}" in second.output()
        assert "Traceback" not in second.output()


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.proves("MAIL-3")
def test_a_worker_that_is_killed_again_and_again_loses_no_mail(
    alice: ApiUser, config: Config, tmp_path: Path, superuser: psycopg.Connection
) -> None:
    """A second copy of a mail has the first one's Message-ID, and follows a kill."""
    sent = {enqueue(alice.id, reminder(alice.email)).message_id for _ in range(50)}
    with mail_server() as (url, inbox):
        for _ in range(20):
            before = len(inbox.ids())
            worker = start(tmp_path, config, SMTP_URL=url)
            until(partial(_has_advanced, inbox, superuser, before))
            worker.process.kill()
            worker.process.wait()
            superuser.execute(MAKE_DUE)
        with working(tmp_path, config, SMTP_URL=url):
            until(lambda: _is_idle(superuser))
        assert set(inbox.ids()) == sent
        assert len(inbox.ids()) <= len(sent) + 20
    failed = superuser.execute("SELECT count(*) FROM outgoing_mail WHERE sent_at IS NULL")
    assert failed.fetchone() == (0,)


def _has_advanced(inbox: Inbox, connection: psycopg.Connection, before: int) -> bool:
    """Whether more mail than that has arrived, or all of it."""
    return len(inbox.ids()) > before or _is_idle(connection)


def _is_idle(connection: psycopg.Connection) -> bool:
    """Whether every mail is sent."""
    left = connection.execute("SELECT FROM outgoing_mail WHERE text IS NOT NULL LIMIT 1")
    return left.rowcount == 0


@pytest.mark.slow
@pytest.mark.proves("MAIL-3", "WORKER-1")
def test_three_workers_send_each_mail_once(
    alice: ApiUser, bob: ApiUser, config: Config, tmp_path: Path, superuser: psycopg.Connection
) -> None:
    directories = [tmp_path / name for name in "abc"]
    for directory in directories:
        directory.mkdir()
    with mail_server() as (url, inbox):
        workers = [start(each, config, SMTP_URL=url) for each in directories]
        until(lambda: seen(superuser) == 3)
        sent = [
            enqueue(user.id, reminder(user.email)).message_id
            for _ in range(100)
            for user in (alice, bob)
        ]
        until(lambda: _is_idle(superuser))
        assert [worker.end() for worker in workers] == [0, 0, 0]
        assert sorted(inbox.ids()) == sorted(sent)


MADE_MAIL = """
    WITH owner AS (
        INSERT INTO users (email, email_key) VALUES ('ann@example.com', 'ann') RETURNING id
    )
    INSERT INTO outgoing_mail (owner_id, id, recipient, subject, text, html, message_id)
    SELECT owner.id, gen_random_uuid(), 'ann@example.com', 'S', 'T', 'H', '<' || n || '@b>'
    FROM owner CROSS JOIN generate_series(1, 100) AS n
"""


@pytest.mark.slow
@pytest.mark.proves("WORKER-2", "MAIL-3")
def test_a_worker_goes_on_when_postgresql_has_been_killed_and_is_back(
    used_data_dir: Path, config: Config, tmp_path: Path
) -> None:
    with postgres(used_data_dir) as server, mail_server() as (url, inbox):
        with psycopg.connect(server.url) as connection:
            connection.execute(MADE_MAIL)
        settings = {"DATABASE_URL": as_role(server.url), "DB_ROW_SECURITY": "off"}
        with working(tmp_path, config, SMTP_URL=url, **settings) as worker:
            until(lambda: len(inbox.ids()) > 20)
            server.kill()
            until(lambda: "trying again in" in worker.output())
            server.start()
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(MAKE_DUE)
                until(lambda: _is_idle(connection), 60)
            until(lambda: "goes on after" in worker.output())
            assert "Traceback" not in worker.output()
    assert sorted(set(inbox.ids())) == sorted(f"<{number}@b>" for number in range(1, 101))
    assert len(inbox.ids()) <= 101, "only the mail in hand may have been sent twice"

"""Webhooks delivered by a worker of its own process: kills, and receivers that hang."""

import time
from functools import partial
from pathlib import Path
from threading import Event

import psycopg
import pytest

from app.auth.encryption import Encryption
from app.auth.secrets import Secrets
from app.config import Config
from app.webhooks.job import Delivering
from tests.support.api_user import ApiUser
from tests.support.processes import until
from tests.support.services import free_port, is_listening
from tests.support.webhooks import (
    HERE,
    Received,
    Receiver,
    attempts,
    delivering,
    hook,
    make_due,
    read,
    receiving,
)  # fmt: skip
from tests.support.worker import get, start, working

PENDING = """
    SELECT count(*) FROM webhooks
    JOIN ledgers ON webhooks.owner_id = ledgers.owner_id
    WHERE ledgers.version > webhooks.delivered_version
"""
TOKEN = "the-token-of-metrics"


def pending(connection: psycopg.Connection) -> int:
    """How many webhooks have something to be told."""
    row = connection.execute(PENDING).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.proves("HOOK-1", "HOOK-17", "WORKER-1")
def test_a_worker_delivers_a_change_within_two_seconds_and_counts_it(
    alice: ApiUser, config: Config, tmp_path: Path, superuser: psycopg.Connection
) -> None:
    port = free_port()
    settings = {"WEBHOOK_ALLOW": HERE, "WORKER_PORT": str(port), "METRICS_TOKEN": TOKEN}
    with receiving() as receiver, working(tmp_path, config, **settings):
        until(lambda: is_listening(port))
        hook(alice, receiver.url)
        for _ in range(3):
            before = len(receiver.requests)
            alice.create()
            began = time.monotonic()
            until(partial(_has_more, receiver, before))
            assert time.monotonic() - began < 2
        until(lambda: pending(superuser) == 0)
        line = 'ownrow_worker_results_total{job="webhooks",result="delivered"} 3.0'
        until(lambda: line in get(port, "/metrics", TOKEN)[1])
        assert 'ownrow_worker_lag_seconds{job="webhooks"}' in get(port, "/metrics", TOKEN)[1]


def _has_more(receiver: Receiver, before: int) -> bool:
    return len(receiver.requests) > before


@pytest.mark.proves("HOOK-12")
def test_without_webhook_allow_no_worker_reaches_this_machine(
    alice: ApiUser, config: Config, tmp_path: Path
) -> None:
    """The webhook was made while it was allowed; each attempt is checked anew."""
    with receiving() as receiver:
        webhook = hook(alice, receiver.url)
        alice.create()
        with working(tmp_path, config):
            until(lambda: attempts(alice, webhook) != [])
        assert receiver.requests == []
    assert "not allowed" in attempts(alice, webhook)[0]["error"]


@pytest.mark.proves("HOOK-18")
def test_a_worker_that_is_told_to_end_finishes_the_attempts_in_hand(
    alice: ApiUser, config: Config, tmp_path: Path
) -> None:
    arrived = Event()

    def slowly(_request: Received) -> tuple[int, dict[str, str]]:
        arrived.set()
        time.sleep(1)
        return 200, {}

    with receiving(slowly) as receiver:
        webhook = hook(alice, receiver.url)
        task = alice.create()
        alice.create()
        with working(tmp_path, config, WEBHOOK_ALLOW=HERE):
            assert arrived.wait(10)
        assert read(alice, webhook)["delivered_version"] == task["version"]
        assert len(receiver.requests) == 1


@pytest.mark.slow
@pytest.mark.proves("HOOK-18")
def test_a_worker_that_is_killed_between_sending_and_committing_loses_no_event(
    alice: ApiUser, config: Config, tmp_path: Path, superuser: psycopg.Connection
) -> None:
    """What is sent again has the same id, and comes before what follows."""
    arrived, go_on = Event(), Event()

    def hold(_request: Received) -> tuple[int, dict[str, str]]:
        arrived.set()
        go_on.wait(20)
        return 200, {}

    with receiving(hold) as receiver:
        webhook = hook(alice, receiver.url)
        tasks = [alice.create(str(n)) for n in range(3)]
        for number in range(20):
            arrived.clear()
            worker = start(tmp_path, config, WEBHOOK_ALLOW=HERE)
            assert arrived.wait(20), worker.output()
            worker.process.kill()
            worker.process.wait()
            make_due(superuser)
            assert len(receiver.requests) == number + 1
        assert len({each.id for each in receiver.requests}) == 1
        assert len({each.body for each in receiver.requests}) == 1
        go_on.set()
        with working(tmp_path, config, WEBHOOK_ALLOW=HERE):
            until(lambda: pending(superuser) == 0)
        told = list(dict.fromkeys(receiver.versions()))
        assert told == [task["version"] for task in tasks]
        assert sorted(receiver.versions()) == receiver.versions()
    assert read(alice, webhook)["enabled"]


@pytest.mark.slow
@pytest.mark.proves("HOOK-3", "WORKER-1")
def test_three_workers_tell_each_webhook_each_event_once_and_in_order(
    alice: ApiUser, config: Config, tmp_path: Path, superuser: psycopg.Connection
) -> None:
    directories = [tmp_path / name for name in "abc"]
    for directory in directories:
        directory.mkdir()
    with receiving() as receiver:
        paths = [f"/{number}" for number in range(10)]
        first = [hook(alice, receiver.url.replace("/hook", path)) for path in paths]
        workers = [start(each, config, WEBHOOK_ALLOW=HERE) for each in directories]
        for _ in range(10):
            alice.batch(*({"op": "create", "title": str(n)} for n in range(10)))
        until(lambda: pending(superuser) == 0, 60)
        assert [worker.end() for worker in workers] == [0, 0, 0]
        start_at = first[0]["delivered_version"] + 1
        for path in paths:
            told = [each.version for each in receiver.requests if each.path == path]
            assert told == list(range(start_at, start_at + 100))


MANY = """
    WITH account AS (
        INSERT INTO users (email, email_key)
        SELECT n || '@example.com', n || '@example.com' FROM generate_series(1, 20) AS n
        RETURNING id, email
    ),
    ledger AS (
        INSERT INTO ledgers (owner_id, version, changed_at) SELECT id, 1, now() FROM account
        RETURNING owner_id
    ),
    entry AS (
        INSERT INTO ledger_entries (
            owner_id, version, kind, item_id, action, at, request_id, item, hash
        )
        SELECT owner_id, 1, 'task', gen_random_uuid(), 'create', now(), 'r', '{}', sha256('')
        FROM ledger
    )
    INSERT INTO webhooks (owner_id, id, url, secret, delivered_version)
    SELECT account.id, given.id, %(url)s || '/' || CASE
        WHEN account.email IN ('1@example.com', '11@example.com') THEN 'hang' ELSE 'sound'
    END, %(sealed)s, 0
    FROM account CROSS JOIN (SELECT gen_random_uuid() AS id, n FROM generate_series(1, 50) AS n)
        AS given
"""


@pytest.mark.slow
@pytest.mark.proves("HOOK-19")
@pytest.mark.usefixtures("app")
def test_100_of_1000_receivers_that_hang_delay_no_other_by_more_than_a_second(
    config: Config, superuser: psycopg.Connection
) -> None:
    """The same 900 deliveries, beside receivers that answer at once and beside those that hang."""
    release = Event()

    def answer(request: Received) -> tuple[int, dict[str, str]]:
        if request.path.endswith("/hang"):
            release.wait(60)
        return 204, {}

    with receiving(answer) as receiver:
        times = []
        for hangs in (False, True):
            superuser.execute("DELETE FROM users WHERE email_key LIKE '%@example.com'")
            release.clear() if hangs else release.set()
            receiver.requests.clear()
            insert_many(superuser, config, receiver.url.removesuffix("/hook"))
            times.append(_time_of_sound(receiver, delivering(config)))
            release.set()
        assert times[1] < times[0] + 1, times


def insert_many(connection: psycopg.Connection, config: Config, url: str) -> None:
    """1,000 webhooks of 20 accounts, each with an event to be told; 100 have a path that hangs."""
    connection.execute(MANY, {"url": url, "sealed": b"none:"})
    connection.execute("ANALYZE")
    seal(connection, config)


def seal(connection: psycopg.Connection, config: Config) -> None:
    """Gives each webhook a secret that is encrypted for it."""
    secrets = Secrets(Encryption(config.encryption_keys), "webhook")
    rows = connection.execute("SELECT owner_id::text, id::text FROM webhooks").fetchall()
    for owner_id, webhook_id in rows:
        sealed = secrets.seal(owner_id, webhook_id, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        connection.execute(
            "UPDATE webhooks SET secret = %s WHERE owner_id = %s AND id = %s",
            (sealed, owner_id, webhook_id),
        )


def _time_of_sound(receiver: Receiver, job: Delivering) -> float:
    """The seconds until the 900 receivers that do not hang have been told."""
    began = time.monotonic()
    while sum(each.path.endswith("/sound") for each in list(receiver.requests)) < 900:
        job.run_once()
        assert time.monotonic() - began < 60
    return time.monotonic() - began

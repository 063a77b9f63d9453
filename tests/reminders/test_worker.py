"""Reminders that a worker of its own process fires: on time, once, and by mail where it is wanted.

The faults: workers that are killed, several of them at once, a clock that is wrong, and PostgreSQL
that goes away.
"""

import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import psycopg
import pytest

from app import create_app, db
from app.config import Config
from tests.support.api_user import ApiUser, data, register
from tests.support.faults.postgres import postgres
from tests.support.mail import Inbox, mail_server
from tests.support.planning import make_task
from tests.support.processes import until
from tests.support.reminders import await_, before, firings, local, task_ids
from tests.support.roles import as_role
from tests.support.services import ROOT, FlaskCommand
from tests.support.worker import Worker, start, working

NUMBER = "SELECT count(*) FROM reminder_firings"
REMINDERS = "FROM outgoing_mail WHERE subject LIKE 'Reminder: %'"
VERIFY = "UPDATE users SET email_verified_at = now()"
CLOCK = ROOT / "tests" / "faults" / "clock.c"


def about_reminders(inbox: Inbox) -> list[EmailMessage]:
    """The mails about tasks, without those that verify an address."""
    return [each for each in inbox.messages if str(each["Subject"]).startswith("Reminder: ")]


def number(connection: psycopg.Connection) -> int:
    """How many reminders have fired."""
    row = connection.execute(NUMBER).fetchone()
    assert row is not None
    return int(row[0])


def make_due(user: ApiUser, database_url: str, count: int) -> list[str]:
    """Tasks whose reminders have been due for 5 minutes, although no worker ran; their ids."""
    fields = {"op": "create", "due": local(minutes=-5), "reminders": [before()]}
    tasks = []
    for first in range(0, count, 100):
        operations = [{**fields, "title": str(n)} for n in range(first, min(first + 100, count))]
        tasks += data(user.batch(*operations))["results"]
    await_(database_url, *tasks)
    return [task["id"] for task in tasks]


@pytest.mark.proves("TASK-257", "WORKER-1")
def test_a_worker_fires_a_reminder_within_two_seconds_of_its_time(
    alice: ApiUser, config: Config, tmp_path: Path
) -> None:
    with working(tmp_path, config):
        task = make_task(alice, due=local(seconds=3), reminders=[before()])
        until(lambda: firings(alice) != [])
    (entry,) = firings(alice)
    assert (entry["kind"], entry["action"], entry["item"]["task_id"]) == (
        "reminder", "fire", task["id"],
    )  # fmt: skip
    late = datetime.fromisoformat(entry["at"]) - datetime.fromisoformat(entry["item"]["at"])
    assert 0 <= late.total_seconds() < 2


@pytest.mark.proves("TASK-267", "MAIL-6", "MAIL-7")
def test_a_reminder_is_mailed_to_a_verified_address_of_a_user_who_wants_it(
    alice: ApiUser, bob: ApiUser, config: Config, tmp_path: Path, superuser: psycopg.Connection
) -> None:
    superuser.execute(f"{VERIFY} WHERE id = %s", [alice.id])
    soon = {"at": f"{local(seconds=5)}Z"}
    for user in (alice, bob):  # bob's address is not verified
        make_task(
            user, "Pay\r\nBcc: eve@example.com", due="2037-10-07T09:00", time_zone="Europe/Madrid",
            reminders=[soon],
        )  # fmt: skip
    with mail_server() as (url, inbox), working(tmp_path, config, SMTP_URL=url):
        until(lambda: len(about_reminders(inbox)) == 1 and number(superuser) == 2)
    (mail,) = about_reminders(inbox)
    assert mail["To"] == alice.email
    assert mail["Subject"] == "Reminder: Pay Bcc: eve@example.com"
    assert "Bcc" not in mail
    text = mail.get_body(("plain",))
    assert text is not None
    assert "Due: 2037-10-07 09:00 (Europe/Madrid)" in text.get_content()
    assert mail["List-Unsubscribe"] == "<https://todo.example.com/app/#/settings>"


@pytest.mark.proves("TASK-267")
def test_a_user_who_wants_no_mail_gets_the_event_alone(
    alice: ApiUser, config: Config, tmp_path: Path, superuser: psycopg.Connection,
    database_url: str,
) -> None:  # fmt: skip
    superuser.execute(VERIFY)
    assert data(alice.call("PATCH", "/api/auth/me", json={"mail": False}))["mail"] is False
    make_due(alice, database_url, 1)
    with mail_server() as (url, inbox), working(tmp_path, config, SMTP_URL=url):
        until(lambda: number(superuser) == 1)
    assert about_reminders(inbox) == []
    assert superuser.execute(f"SELECT count(*) {REMINDERS}").fetchone() == (0,)


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.proves("TASK-257", "WORKER-1")
def test_a_worker_that_is_killed_20_times_loses_no_reminder_and_fires_none_twice(
    alice: ApiUser, config: Config, tmp_path: Path, superuser: psycopg.Connection,
    database_url: str, flask: FlaskCommand,
) -> None:  # fmt: skip
    ids: list[str] = []
    for _ in range(20):
        ids += make_due(alice, database_url, 100)
        seen = number(superuser)
        worker = start(tmp_path, config)
        until(partial(_has_fired, superuser, seen, len(ids)))
        worker.process.kill()
        worker.process.wait()
    with working(tmp_path, config):
        until(lambda: number(superuser) == len(ids))
    assert sorted(task_ids(firings(alice))) == sorted(ids)
    assert flask("ledger", "verify").exit_code == 0


def _has_fired(connection: psycopg.Connection, seen: int, most: int) -> bool:
    return seen < number(connection) <= most


@pytest.mark.slow
@pytest.mark.proves("TASK-257", "TASK-264", "WORKER-1")
def test_three_workers_with_wrong_clocks_fire_each_reminder_once_and_none_early(
    alice: ApiUser, bob: ApiUser, config: Config, tmp_path: Path, superuser: psycopg.Connection,
    database_url: str,
) -> None:  # fmt: skip
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler is missing: apt-get install gcc libc6-dev")
    library = tmp_path / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, CLOCK, "-ldl"], check=True)
    ids = [each for user in (alice, bob) for each in make_due(user, database_url, 200)]
    early = make_task(alice, due=local(minutes=4), reminders=[before()])
    workers = []
    for seconds in ("-300", "+0", "+300"):
        directory = tmp_path / seconds
        directory.mkdir()
        offset = directory / "clock"
        offset.write_text(seconds)
        wrong = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(offset)}
        workers.append(start(directory, config, **wrong))
    until(lambda: number(superuser) == len(ids))
    until(lambda: all("worker: started" in worker.output() for worker in workers))
    assert [worker.end() for worker in workers] == [0, 0, 0]
    entries = [entry for user in (alice, bob) for entry in firings(user)]
    assert sorted(task_ids(entries)) == sorted(ids)
    assert {entry["action"] for entry in entries} == {"fire"}
    assert early["id"] not in ids


@pytest.mark.slow
@pytest.mark.proves("TASK-257", "WORKER-2")
def test_what_came_due_while_postgresql_was_away_fires_when_it_is_back(
    alice: ApiUser, config: Config, tmp_path: Path, superuser: psycopg.Connection,
    database_url: str,
) -> None:  # fmt: skip
    """Its connections are killed, again and again: each return finds what is due."""
    with working(tmp_path, config) as worker:
        ids: list[str] = []
        for _ in range(5):
            superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'ownrow worker' AND datname = current_database()"
            )
            ids += make_due(alice, database_url, 20)
            until(partial(_has_fired, superuser, len(ids) - 1, len(ids)), 10)
        assert "Traceback" not in worker.output()
    assert sorted(task_ids(firings(alice))) == sorted(ids)


def _has_noticed(worker: Worker, times: int) -> bool:
    return worker.output().count("trying again in") >= times


@pytest.mark.slow
@pytest.mark.proves("TASK-257", "WORKER-2")
def test_a_worker_loses_no_reminder_when_postgresql_is_killed(
    used_data_dir: Path, config: Config, tmp_path: Path
) -> None:
    with postgres(used_data_dir) as server, ExitStack() as ending:
        ending.callback(db.close_pool)
        here = replace(config, database_url=as_role(server.url), db_row_security=False)
        user = register(create_app(here).test_client())
        ids: list[str] = []
        with working(tmp_path, here) as worker:
            for killed in (1, 2, 3):
                ids += make_due(user, server.url, 400)
                with psycopg.connect(server.url, autocommit=True) as connection:
                    until(partial(_has_fired, connection, len(ids) - 400, len(ids)))
                server.kill()
                until(partial(_has_noticed, worker, killed))
                server.start()
                with psycopg.connect(server.url, autocommit=True) as connection:
                    until(partial(_has_fired, connection, len(ids) - 1, len(ids)), 10)
            assert "Traceback" not in worker.output()
        assert sorted(task_ids(firings(user))) == sorted(ids)

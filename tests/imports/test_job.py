"""The job: once, whatever is killed; dry runs; references; bounds; nothing left of a file."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.config import Config
from app.imports import repository
from app.imports.job import GIVEN_UP, LEASE, MOST_ATTEMPTS, Importing
from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.imports import (
    PATH,
    counts,
    exported,
    imported,
    messages,
    rows,
    send,
    tasks,
    work,
)
from tests.support.planning import make, make_task
from tests.support.processes import until
from tests.support.services import FlaskCommand
from tests.support.worker import start, working

FREE = "UPDATE imports SET next_step_at = now() WHERE finished_at IS NULL"  # as after the lease


def tree(count: int) -> str:
    """Tasks of which every second one is below the one before."""
    lines = ["id,parent,title,labels,list"]
    for n in range(0, count, 2):
        lines += [f"{n},,task {n},a,L", f"{n + 1},{n},task {n + 1},b,L"]
    return "\n".join(lines)


def read(user: ApiUser, location: str) -> dict[str, Any]:
    """The report so far."""
    return dict(data(user.call("GET", location)))


def number(connection: psycopg.Connection) -> int:
    """How many tasks there are."""
    row = connection.execute("SELECT count(*) FROM tasks").fetchone()
    assert row is not None
    return int(row[0])


def _has_more(connection: psycopg.Connection, seen: int, most: int) -> bool:
    return number(connection) > seen or number(connection) == most


@pytest.mark.proves("IMPORT-6")
@pytest.mark.slow
def test_a_worker_that_is_killed_again_and_again_makes_each_row_once(
    alice: ApiUser, config: Config, tmp_path: Path, superuser: psycopg.Connection,
    flask: FlaskCommand,
) -> None:  # fmt: skip
    count = 4000
    answer = send(alice, "csv", tree(count))
    kills = 0
    for _ in range(4):
        seen = number(superuser)
        worker = start(tmp_path, config)
        until(partial(_has_more, superuser, seen, count), 120)
        worker.process.kill()
        worker.process.wait()
        kills += read(alice, answer.headers["Location"])["finished_at"] is None
        superuser.execute(FREE)
    assert kills >= 2  # in the midst of it
    with working(tmp_path, config):
        until(lambda: read(alice, answer.headers["Location"])["finished_at"] is not None, 300)
    report = read(alice, answer.headers["Location"])
    assert (report["state"], counts(report)) == ("done", (count, count, 0, 0))
    titles = [each["title"] for each in exported(alice)["tasks"]]
    assert sorted(titles) == sorted(f"task {n}" for n in range(count))
    found = tasks(alice)
    assert all(
        found[f"task {n + 1}"]["parent_id"] == found[f"task {n}"]["id"] for n in range(0, count, 2)
    )
    assert len(rows(alice, report)) == count + 2 + 1  # with two labels and a list
    assert flask("ledger", "verify").exit_code == 0


@pytest.mark.proves("IMPORT-6")
def test_two_workers_share_an_import_without_doubling_anything(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    """The lease of the first one ends while it works: what it does then is not committed."""
    answer = send(alice, "csv", tree(1200))
    (due,) = repository.list_due(1)
    held = repository.claim(due.owner_id, due.id, LEASE)
    assert held is not None
    assert repository.claim(due.owner_id, due.id, LEASE) is None
    superuser.execute(FREE)
    work()
    with pytest.raises(repository.LeaseLostError):
        repository.write(held, (), steps=0, lease=repository.NOW)
    with pytest.raises(repository.LeaseLostError):
        repository.finish(held)
    assert counts(read(alice, answer.headers["Location"])) == (1200, 1200, 0, 0)
    assert len(exported(alice)["tasks"]) == 1200


@pytest.mark.proves("IMPORT-2", "IMPORT-11")
def test_progress_is_told_while_it_runs(alice: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = send(alice, "csv", tree(2000))
    location = answer.headers["Location"]
    assert (data(answer)["state"], data(answer)["percent"]) == ("queued", 0)
    told, report = list[int](), data(answer)
    monkeypatch.setattr("app.imports.job.TURN", 0.0)
    job = Importing()
    for _ in range(100):
        job.run_once()
        report = read(alice, location)
        told.append(report["percent"])
        if report["finished_at"]:
            break
    assert told == sorted(told)
    assert told[-1] == 100
    assert counts(report) == (2000, 2000, 0, 0)


@pytest.mark.proves("IMPORT-1")
def test_a_dry_run_has_the_same_report_and_stores_nothing(alice: ApiUser) -> None:
    make(alice, "labels", name="B")
    file = (
        "id,parent,title,due,labels,list,recurrence\n"
        "1,,a,2026-10-07,new;b,L,every day\n2,1,b,2026-02-30,,,\n3,9,c,,,,moon\n,,,,,,\n4,1,,,,L,\n"
    )
    before = exported(alice)
    dry = imported(alice, "csv", file, dry_run="true")
    assert exported(alice) == before
    wet = imported(alice, "csv", file)
    differing = {"id", "dry_run", "created_at", "finished_at"}
    assert {name: dry[name] for name in dry if name not in differing} == {
        name: wet[name] for name in wet if name not in differing
    }
    shown = [[{**row, "id": None} for row in rows(alice, each)] for each in (dry, wet)]
    assert shown[0] == shown[1]
    assert counts(imported(alice, "csv", file, dry_run="true")) == (4, 0, 2, 2)


@pytest.mark.proves("IMPORT-2")
def test_a_row_in_the_report_names_its_item_and_what_came_of_it(alice: ApiUser) -> None:
    report = imported(alice, "csv", "title,due\na,2026-10-07\nb,never ever\n")
    found = rows(alice, report)
    assert [(row["line"], row["kind"], row["outcome"]) for row in found] == [
        (2, "task", "created"), (3, "task", "failed"),
    ]  # fmt: skip
    assert data(alice.get(f"/{found[0]['id']}"))["title"] == "a"
    assert found[1]["id"] is None
    assert [each["field"] for each in found[1]["errors"]] == ["due"]


@pytest.mark.proves("IMPORT-4")
def test_what_is_in_the_trash_is_told_and_what_is_gone_is_made_again(
    alice: ApiUser, flask: FlaskCommand
) -> None:
    imported(alice, "csv", "title\na\nb\n")
    alice.delete(f"/{tasks(alice)['a']['id']}")
    report = imported(alice, "csv", "title\na\nb\n")
    assert counts(report) == (2, 0, 2, 0)
    assert messages(report) == [repository.IN_TRASH]
    assert flask("ledger", "purge", "--older-than", "0d").exit_code == 0
    assert counts(imported(alice, "csv", "title\na\nb\n")) == (2, 1, 1, 0)


@pytest.mark.proves("IMPORT-5")
def test_the_same_row_of_two_owners_is_imported_for_both(alice: ApiUser, bob: ApiUser) -> None:
    for user in (alice, bob):
        assert counts(imported(user, "csv", "title\na\n")) == (1, 1, 0, 0)
    (report,) = data(alice.call("GET", PATH))
    for method, path in (("GET", ""), ("GET", "/rows"), ("DELETE", "")):
        answer = bob.call(method, f"{PATH}/{report['id']}{path}")
        assert error(answer) == (404, "NOT_FOUND")


@pytest.mark.proves("IMPORT-10")
def test_nothing_of_a_file_is_left_when_its_import_has_ended(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    imported(alice, "csv", "title\na\n")
    failing = json.dumps({"tasks": [{}] * 50_001})
    send(alice, "ownrow", failing)
    assert superuser.execute("SELECT count(file) FROM imports").fetchone() == (1,)
    work()
    found = superuser.execute("SELECT state, file FROM imports ORDER BY created_at").fetchall()
    assert found == [("done", None), ("failed", None)]


@pytest.mark.proves("IMPORT-5", "IMPORT-2")
def test_an_account_has_five_waiting_imports_and_keeps_the_reports_of_twenty(
    alice: ApiUser,
) -> None:
    for n in range(24):
        imported(alice, "csv", f"title\n{n}\n")
    found = data(alice.call("GET", PATH))
    assert len(found) == 20
    for n in range(5):
        assert send(alice, "csv", f"title\nw{n}\n").status_code == 202
    assert broken_fields(send(alice, "csv", "title\nx\n")) == [""]
    listed = data(alice.call("GET", PATH))
    assert len(listed) == 20
    assert [each["state"] for each in listed[:6]] == ["queued"] * 5 + ["done"]
    work()
    assert len(exported(alice)["tasks"]) == 29


@pytest.mark.proves("IMPORT-2", "IMPORT-10")
def test_a_deleted_import_stops_and_what_it_made_stays(
    alice: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.imports.job.TURN", 0.0)
    location = send(alice, "csv", tree(1500)).headers["Location"]
    work(turns=4)
    made = len(exported(alice)["tasks"])
    assert 0 < made < 1500
    assert alice.call("DELETE", location).status_code == 200
    assert error(alice.call("DELETE", location)) == (404, "NOT_FOUND")
    work()
    assert len(exported(alice)["tasks"]) == made


@pytest.mark.proves("IMPORT-11")
def test_a_file_that_ends_its_worker_each_time_is_given_up(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    location = send(alice, "csv", "title\na\n").headers["Location"]
    for _ in range(MOST_ATTEMPTS):
        (due,) = repository.list_due(1)
        assert repository.claim(due.owner_id, due.id, LEASE)
        superuser.execute(FREE)
    work()
    report = read(alice, location)
    assert (report["state"], report["message"]) == ("failed", GIVEN_UP)


@pytest.mark.proves("IMPORT-9")
def test_an_import_goes_on_beside_changes_of_its_owner(
    alice: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its list is deleted meanwhile, and a parent: what was to be there is told."""
    monkeypatch.setattr("app.imports.job.TURN", 0.0)
    location = send(alice, "csv", tree(1000)).headers["Location"]
    work(turns=3)
    found = exported(alice)
    parents = [each for each in found["tasks"] if each["title"] == "task 0"]
    alice.delete(f"/{parents[0]['id']}")
    monkeypatch.setattr("app.imports.job.TURN", 5.0)
    work()
    report = read(alice, location)
    assert counts(report) == (1000, 1000, 0, 0)
    assert tasks(alice)["task 1"]["parent_id"] is None
    assert [each["field"] for each in report["warnings"]] == ["parent"]


@pytest.mark.proves("IMPORT-7")
def test_an_import_makes_what_the_api_would_have_made(alice: ApiUser, bob: ApiUser) -> None:
    """Entries of the ledger, webhooks and the feed see tasks that were created and completed."""
    imported(alice, "csv", "title,done,priority\nx,yes,3\n")
    by_api = make_task(bob, "x", priority=3)
    bob.patch(f"/{by_api['id']}/complete")
    entries = [
        [(each["action"], each["item"]["is_completed"]) for each in data(
            user.call("GET", f"/api/me/tasks/{tasks(user)['x']['id']}/history"))]
        for user in (alice, bob)
    ]  # fmt: skip
    assert entries[0] == entries[1] == [("complete", True), ("create", False)]


@pytest.mark.proves("IMPORT-5")
def test_a_repeated_request_with_its_key_is_one_import(alice: ApiUser) -> None:
    key = {"Idempotency-Key": "once"}
    path = f"{PATH}?source=csv"
    first = alice.call("POST", path, data="title\na\n", headers=key)
    again = alice.call("POST", path, data="title\na\n", headers=key)
    assert (first.data, first.headers["Location"]) == (again.data, again.headers["Location"])
    assert again.headers["Idempotent-Replayed"] == "true"
    other = alice.call("POST", path, data="title\nb\n", headers=key)
    assert error(other) == (422, "IDEMPOTENCY_MISMATCH")


@pytest.mark.proves("IMPORT-1")
@pytest.mark.parametrize("media_type", ["text/csv", "application/json", "multipart/form-data", ""])
def test_the_body_is_the_file_whatever_its_media_type(alice: ApiUser, media_type: str) -> None:
    answer = alice.call(
        "POST", f"{PATH}?source=csv", data=b"title\na\n", headers={"Content-Type": media_type}
    )
    assert answer.status_code == 202
    assert answer.headers["Location"].startswith(PATH)

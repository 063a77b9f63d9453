"""The parameters of the list of tasks, filter among them: what they find, and what they refuse."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from app import zones
from app.filtering import compile_filter, parse
from app.search.repository import ORDERS, SORTS
from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.planning import (
    complete,
    delete,
    live_in,
    make,
    make_chain,
    make_task,
    titles,
)
from tests.support.task_rows import unrecorded

LOS_ANGELES = "America/Los_Angeles"


def found(user: ApiUser, text: str, **query: str) -> list[str]:
    """The titles of the tasks that a filter finds, sorted."""
    answer = user.get(query_string={"filter": text, "limit": 200, **query})
    return sorted(titles(data(answer)))


def mistake(user: ApiUser, text: str) -> str:
    """The message of a filter that is refused."""
    answer = user.get(query_string={"filter": text})
    assert broken_fields(answer) == ["filter"]
    return str(answer.get_json()["error"]["details"][0]["message"])


# --- filter -------------------------------------------------------------------------------------


@pytest.mark.proves("TASK-186")
def test_tomorrow_begins_at_the_user_s_midnight(alice: ApiUser) -> None:  # Q1
    live_in(alice, LOS_ANGELES)
    today = zones.local_date(datetime.now(UTC), LOS_ANGELES)
    midnight = f"{today + zones.DAY}T00:00:00"
    make_task(alice, "last second", due=f"{today}T23:59:59")
    make_task(alice, "midnight", due=midnight)
    make_task(alice, "today", due=f"{today}")
    make_task(alice, "tomorrow", due=f"{today + zones.DAY}")
    before, after = found(alice, "due < tomorrow"), found(alice, "due >= tomorrow")
    in_utc = found(alice, f"due < {midnight}", time_zone="UTC")
    if zones.local_date(datetime.now(UTC), LOS_ANGELES) == today:
        assert (before, after) == (["last second", "today"], ["midnight", "tomorrow"])
        assert in_utc == ["today"] or "last second" not in in_utc


@pytest.mark.proves("TASK-185")
def test_a_task_without_due_is_neither_before_nor_after_a_date(alice: ApiUser) -> None:  # Q2
    make_task(alice, "none")
    make_task(alice, "old", due="1980-01-01")
    for condition in ("<", "<=", ">", ">=", "=", "!="):
        assert "none" not in found(alice, f"due {condition} 2026-10-07")
        assert "none" not in found(alice, f"start {condition} 2026-10-07")
    assert found(alice, "due < 2026-10-07") == ["old"]


@pytest.mark.proves("TASK-185")
def test_not_is_the_other_half_with_tasks_without_due(alice: ApiUser) -> None:  # Q3
    make_task(alice, "none")
    make_task(alice, "old", due="1980-01-01")
    make_task(alice, "far", due="2199-01-01")
    assert found(alice, "not (due < tomorrow)") == ["far", "none"]
    for text in ("due < tomorrow", "due = today", "overdue", "start > today", "priority < 5"):
        halves = found(alice, text) + found(alice, f"not ({text})")
        assert sorted(halves) == ["far", "none", "old"]


@pytest.mark.proves("TASK-183", "TASK-188")
@pytest.mark.parametrize(
    "name",
    [
        'a "in" b & c',
        "it's",
        "back\\slash",
        "$v1",
        "100% _",
        "); DROP TABLE tasks; --",
        "and or not",
        "😀",
        "a\nb",
    ],
)
def test_a_name_in_quotes_is_only_a_name(alice: ApiUser, name: str) -> None:  # Q4
    make_task(alice, "labelled", labels=[name])
    folder = make(alice, "lists", title=name)
    make_task(alice, "listed", list_id=folder["id"])
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert found(alice, f"has label {quoted}") == ["labelled"]
    assert found(alice, f"label = {quoted}") == ["labelled"]
    assert found(alice, f"list = {quoted}") == ["listed"]
    assert found(alice, f"list != {quoted}") == ["labelled"]
    assert found(alice, f"title = {quoted}") == []


@pytest.mark.proves("TASK-183", "TASK-188")
def test_a_string_is_only_a_string(alice: ApiUser) -> None:  # Q5
    text = "'; DROP TABLE tasks--"
    make_task(alice, text)
    make_task(alice, "other")
    assert found(alice, f'title = "{text}"') == [text]
    assert found(alice, 'title = "OTHER"') == ["other"]
    assert found(alice, f'title != "{text}"') == ["other"]


@pytest.mark.proves("TASK-181")
@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("duedate < 3", 1),  # Q6
        ("due < 3", 7),
        ("due <", 6),
        ("priority < 5 and duedate < 3", 18),
        ("(overdue", 9),
        ("overdue)", 8),
        ("due < 2026-02-30", 7),
        ('title = "a', 9),
        ("priority = 10", 12),
        ('has label "missing"', 11),
        ('priority = 1 or list = "missing"', 24),
        ("😀", 1),
        ('title = "😀" and x', 17),
        ("overdue overdue", 9),
        ("overdue or", 11),
        ("title = \x00", 9),
    ],
)
def test_a_mistake_is_told_with_its_position(alice: ApiUser, text: str, position: int) -> None:
    assert mistake(alice, text).startswith(f"Character {position}:") or "\x00" in text


@pytest.mark.proves("TASK-182")
@pytest.mark.parametrize(
    "text",
    [
        'title = "' + "a" * 991 + '"',  # 1,001 characters
        "(" * 21 + "overdue" + ")" * 21,
        " or ".join(["overdue"] * 51),
        "not " * 249 + "overdue",
        "(" * 1000,
        "",
    ],
)
def test_a_filter_that_is_too_long_or_too_deep_is_refused_quickly(
    alice: ApiUser, text: str
) -> None:  # Q7
    began = time.thread_time()
    answer = alice.get(query_string={"filter": text})
    assert broken_fields(answer) == ["filter"]
    assert time.thread_time() - began < 0.25  # the request as a whole


@pytest.mark.proves("TASK-182")
def test_a_filter_at_the_limits_is_accepted(alice: ApiUser) -> None:
    make_task(alice, "a" * 255)
    for text in (
        'title = "' + "a" * 990 + '"',
        "(" * 19 + "overdue" + ")" * 19,
        " or ".join(["overdue"] * 50),
        'title = "' + "😀" * 990 + '"',
    ):
        assert found(alice, text) == []


@pytest.mark.proves("TASK-186")
def test_today_is_the_local_day_however_long_it_is(alice: ApiUser) -> None:  # Q8
    make_task(alice, "Kathmandu", due="2026-10-07T18:20:00", time_zone="UTC")
    assert found(alice, "due = 2026-10-08", time_zone="Asia/Kathmandu") == ["Kathmandu"]
    assert found(alice, "due = 2026-10-07", time_zone="Asia/Kathmandu") == []
    assert found(alice, "due = 2026-10-07") == ["Kathmandu"]


@pytest.mark.proves("TASK-184")
def test_a_label_or_list_that_was_deleted_is_told(alice: ApiUser) -> None:  # Q10
    task = make_task(alice, labels=["home"])
    folder = make(alice, "lists", title="Work")
    assert found(alice, 'has label "home"') == ["a task"]
    delete(alice, {"id": task["label_ids"][0]}, "labels")
    assert "home" in mistake(alice, 'has label "home"')
    delete(alice, folder, "lists")
    assert "Work" in mistake(alice, 'not list "Work"')


@pytest.mark.proves("TASK-184")
def test_names_of_another_user_are_unknown(alice: ApiUser, bob: ApiUser) -> None:
    make_task(bob, labels=["home"])
    assert "home" in mistake(alice, 'has label "home"')


def test_two_lists_of_one_name_are_both_found(alice: ApiUser) -> None:
    for number in range(2):
        folder = make(alice, "lists", title="Work")
        make_task(alice, str(number), list_id=folder["id"])
    make_task(alice, "inbox")
    assert found(alice, 'list = "work"') == ["0", "1"]
    assert found(alice, 'list != "work"') == ["inbox"]


@pytest.mark.proves("TASK-180")
def test_the_example_of_the_contract(alice: ApiUser) -> None:
    work = make(alice, "lists", title="Work")
    fields: dict[str, Any] = {"due": "2020-01-01", "priority": 1, "labels": ["home"]}
    make_task(alice, "yes", **fields)
    make_task(alice, "at work", **fields, list_id=work["id"])
    make_task(alice, "not urgent", **{**fields, "priority": 5})
    make_task(alice, "no priority", **{**fields, "priority": 0})
    make_task(alice, "no label", **{**fields, "labels": []})
    make_task(alice, "far", **{**fields, "due": "2199-01-01"})
    complete(alice, make_task(alice, "done", **fields))
    text = '(overdue or due < +7d) and priority <= 4 and has label "home" and not list "Work"'
    assert found(alice, text) == ["done", "yes"]  # due < +7d holds for the one that is done
    assert found(alice, f"{text} and not completed") == ["yes"]


@pytest.mark.proves("TASK-170")
def test_a_filter_and_the_other_parameters_hold_together(alice: ApiUser) -> None:
    make_task(alice, "milk", priority=1)
    make_task(alice, "bread", priority=1)
    make_task(alice, "butter milk")
    assert found(alice, "priority = 1", q="milk") == ["milk"]
    assert found(alice, "priority = 1", is_completed="true") == []
    assert found(alice, "not priority = 1", q="MILK", list_id="none") == ["butter milk"]


def test_a_page_of_a_filter_is_not_that_of_another(alice: ApiUser) -> None:
    make_task(alice, "1", priority=1)
    make_task(alice, "2", priority=2)
    for _ in range(2):
        assert found(alice, "priority = 1") == ["1"]
        assert found(alice, "priority = 2") == ["2"]
        assert found(alice, "priority = 3") == []
    cursor = alice.get("?filter=priority > 0&limit=1").get_json()["meta"]["next_cursor"]
    other = alice.get(query_string={"filter": "priority > 1", "limit": 1, "cursor": cursor})
    assert error(other) == (400, "BAD_REQUEST")


FILL = """
INSERT INTO tasks (
    owner_id, id, title, title_folded, description_folded, position, priority, due, due_at,
    due_begins_at, computed_zone, created_at, updated_at, version, last_action, request_id
)
SELECT
    %(owner_id)s, uuidv7_at(at), 'task', 'task', '', lpad(to_hex(number), 12, '0') || 'h',
    number %% 10, due::text, due + 1, due, 'UTC', at, at, number, 'create', 'many'
FROM (
    SELECT
        number, timestamptz '2026-01-01 UTC' + number * interval '1 minute' AS at,
        date '2026-01-01' + (number %% 3000)::integer AS due
    FROM generate_series(1, 10000) AS number
) AS numbers
"""


@pytest.mark.proves("TASK-189")
def test_a_filter_of_10_000_tasks_takes_less_than_30_ms_of_sql(
    alice: ApiUser, database_url: str
) -> None:  # Q9
    text = '(overdue or due < +7d) and priority <= 4 and not completed and title != "x"'
    compiled = compile_filter(
        parse(text), now=datetime.now(UTC), zone_name="UTC", labels={}, lists={}
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        with unrecorded(connection):
            connection.execute(FILL, {"owner_id": alice.id})
        times = []
        for _ in range(10):
            query = (
                "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) SELECT count(*) FROM tasks"
                " WHERE owner_id = %s AND passes(facets, %s, %s)"
            )
            values = Jsonb(compiled.values)
            row = connection.execute(query, [alice.id, compiled.path, values]).fetchone()
            assert row is not None
            times.append(row[0][0]["Execution Time"])
    assert min(times) < 30


# --- the other parameters -----------------------------------------------------------------------


@pytest.mark.proves("TASK-172")
def test_priority_bounds_leave_out_tasks_without_one(alice: ApiUser) -> None:
    for priority in (0, 1, 4, 5, 9):
        make_task(alice, str(priority), priority=priority)
    for query, expected in (
        ("priority_min=1", ["1", "4", "5", "9"]),
        ("priority_max=9", ["1", "4", "5", "9"]),
        ("priority_min=4&priority_max=5", ["4", "5"]),
        ("priority_min=9", ["9"]),
        ("priority_max=1", ["1"]),
        ("priority_min=5&priority_max=4", []),
    ):
        assert sorted(titles(data(alice.get(f"?{query}")))) == expected


@pytest.mark.proves("TASK-116", "TASK-159")
def test_the_inbox_and_the_roots_are_called_none(alice: ApiUser) -> None:
    folder = make(alice, "lists", title="a")
    make_chain(alice, "root in list", "child in list", list_id=folder["id"])
    make_chain(alice, "root", "child")
    assert sorted(titles(data(alice.get("?list_id=none")))) == ["child", "root"]
    assert sorted(titles(data(alice.get("?parent_id=none")))) == ["root", "root in list"]
    assert titles(data(alice.get("?list_id=none&parent_id=none"))) == ["root"]
    path = f"?list_id={folder['id']}&parent_id=none"
    assert titles(data(alice.get(path))) == ["root in list"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("list_id", ["", "x", "None", "null", "inbox", "\x00", "0" * 36]),
        ("parent_id", ["", "x", "NONE", "null", "\x00"]),
        ("label", ["", "x", "none", "\x00", "home"]),
        ("priority_min", ["", "0", "10", "-1", "1.0", "+1", "01x", "١", "high", "9" * 30]),
        ("priority_max", ["", "0", "10", "-1", "1.0", " 1", "１", "high"]),
        ("no_due", ["", "1", "TRUE", "yes", "null"]),
        ("overdue", ["", "0", "True", "no", "null"]),
        ("sort", ["", "Due", "+due", "--due", "due_at", "due,priority", "id", "random"]),
        ("time_zone", ["", "europe/berlin", "localtime", "Factory", "FOO5BAR", "../x", "+02:00"]),
        ("filter", ["", " ", "x", "due", "$", "'", '"', "\x00", "@", "overdue;"]),
        ("limit", ["0", "201", "-1", "1.0", "١"]),
        ("priority", ["1"]),
        ("due", ["2026-10-07"]),
        ("labels", ["x"]),
    ],
)
def test_a_parameter_that_is_wrong_is_named(alice: ApiUser, name: str, values: list[str]) -> None:
    for value in values:
        answer = alice.get(query_string={name: value})
        (field,) = broken_fields(answer)
        assert field in (name, f"{name}[0]"), value


@pytest.mark.proves("TASK-171")
def test_a_parameter_given_twice_is_refused_but_for_labels(alice: ApiUser) -> None:
    for name, value in (("sort", "due"), ("list_id", "none"), ("overdue", "true"), ("q", "a")):
        assert broken_fields(alice.get(f"?{name}={value}&{name}={value}")) == [name]
    labels = "&".join(f"label={uuid4()}" for _ in range(50))
    assert data(alice.get(f"?{labels}")) == []
    assert broken_fields(alice.get(f"?{labels}&label={uuid4()}")) == ["label"]


def test_an_upper_case_id_is_no_id(alice: ApiUser) -> None:
    task = make_task(alice)
    assert broken_fields(alice.get(f"?parent_id={task['id'].upper()}")) == ["parent_id"]


def test_a_saved_filter_may_have_each_order_of_the_list() -> None:
    assert set(ORDERS) == set(SORTS)


@pytest.mark.parametrize("sort", SORTS)
def test_a_cursor_is_bound_to_its_sort_and_its_filters(alice: ApiUser, sort: str) -> None:
    for number in range(3):
        make_task(alice, str(number), due="2026-10-07", priority=number)
    cursor = alice.get(f"?limit=1&sort={sort}").get_json()["meta"]["next_cursor"]
    assert alice.get(f"?sort={sort}&cursor={cursor}").status_code == 200
    for query in ("no_due=false", "list_id=none", "priority_min=1", "filter=not overdue"):
        answer = alice.get(f"?sort={sort}&cursor={cursor}&{query}")
        assert error(answer) == (400, "BAD_REQUEST")
    other = "title" if sort != "title" else "due"
    assert error(alice.get(f"?sort={other}&cursor={cursor}")) == (400, "BAD_REQUEST")


def test_created_and_updated_are_days_or_instants(alice: ApiUser) -> None:
    make_task(alice, "changed")
    make_task(alice, "as made")
    assert found(alice, "created = today or created = yesterday") == ["as made", "changed"]
    assert found(alice, "updated < 2020-01-01") == []
    assert found(alice, "created > +1h") == []
    assert found(alice, "created > -1h and updated <= now") == ["as made", "changed"]

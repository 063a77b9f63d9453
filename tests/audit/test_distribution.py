"""What plain PostgreSQL can tell about statements on a database that Citus shards by owner."""

import pytest

from app.audit import distribution
from app.audit.cluster import task_counts
from app.audit.distribution import ACROSS_SHARDS
from app.audit.plans import Plan
from app.audit.report.results import Entry
from app.db.statements import NoRow, parse
from tests.support.audited import TEXTS, Audits

OWNER = "owner_id = %(owner_id)s"
HEADER = "-- Does something.\n-- @writes\n-- @param owner_id uuid\n"
PLAIN = f"UPDATE tasks SET title = lower(title) WHERE {OWNER}"


def refusals(audits: Audits, name: str, text: str) -> list[str]:
    return distribution.refusals(parse(name, text, NoRow), audits.catalogue)


@pytest.mark.proves("SCALE-3")
def test_citus_would_take_every_statement(audits: Audits) -> None:
    found = {name: refusals(audits, name, text) for name, text in TEXTS.items()}
    assert {name: refused for name, refused in found.items() if refused} == {}


def test_what_goes_to_several_shards_is_a_file() -> None:
    assert set(ACROSS_SHARDS) <= set(TEXTS)


@pytest.mark.proves("SCALE-3")
@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (PLAIN, []),
        (
            (
                "SELECT tasks.id FROM tasks INNER JOIN users ON tasks.owner_id = users.id"
                f" WHERE tasks.{OWNER}"
            ),
            ["touches tasks together with users"],
        ),
        (
            f"SELECT id, gen_random_uuid() AS other FROM tasks WHERE {OWNER}",
            ["calls gen_random_uuid, which is volatile"],
        ),
        (
            (
                "SELECT tasks.id FROM tasks INNER JOIN ledgers ON tasks.owner_id = ledgers.owner_id"
                f" WHERE tasks.{OWNER} FOR UPDATE OF ledgers"
            ),
            ["locks rows of a join"],
        ),
        (
            (
                "UPDATE tasks SET title = each.title FROM unnest(ARRAY['a']) AS each (title)"
                f" WHERE tasks.{OWNER}"
            ),
            ["changes rows by a function in FROM; a CTE may have it"],
        ),
        (
            f"UPDATE ledgers SET changed_at = next_change_at(changed_at) WHERE {OWNER}",
            ["calls next_change_at, which is not immutable, with a column in a change"],
        ),
        (
            f"UPDATE webhooks SET disabled_at = coalesce(disabled_at, now()) WHERE {OWNER}",
            ["calls now, which is not immutable, in CASE or COALESCE"],
        ),
        (
            f"DELETE FROM tasks WHERE {OWNER} RETURNING now() AS at",
            ["calls now, which is not immutable, in RETURNING"],
        ),
        (
            (
                "INSERT INTO ledgers (owner_id) VALUES (%(owner_id)s)"
                " ON CONFLICT (owner_id) DO UPDATE SET changed_at = now()"
            ),
            ["calls now, which is not immutable, in ON CONFLICT"],
        ),
        (
            (
                f"WITH gone AS (DELETE FROM lists WHERE {OWNER} RETURNING id)"
                f" DELETE FROM tasks USING gone WHERE tasks.{OWNER} AND tasks.list_id = gone.id"
            ),
            ["changes rows by a query that has another change in its WITH"],
        ),
        (
            (
                f"WITH RECURSIVE up AS (SELECT id FROM tasks WHERE {OWNER} UNION SELECT id FROM up)"
                " SELECT id FROM up"
            ),
            ["uses WITH RECURSIVE"],
        ),
        (
            (
                "SELECT owner_id, task_id FROM tasks_with_due_reminders(1)"
                " WHERE owner_id = %(owner_id)s::uuid"
            ),
            ["a function of it reads tasks, and the statement is not in ACROSS_SHARDS"],
        ),
        (
            (
                "MERGE INTO tasks USING ledgers ON tasks.owner_id = ledgers.owner_id"
                f" AND tasks.{OWNER} WHEN MATCHED THEN DELETE"
            ),
            ["uses MERGE"],
        ),
    ],
)
def test_a_statement_that_citus_refuses_is_found(
    audits: Audits, text: str, refused: list[str]
) -> None:
    assert refusals(audits, "tasks/new", HEADER + text) == refused


@pytest.mark.proves("SCALE-3")
def test_a_place_on_the_list_that_is_not_needed_is_found(audits: Audits) -> None:
    assert refusals(audits, "webhooks/list_due", HEADER + PLAIN) == [
        "needs no place in ACROSS_SHARDS"
    ]


@pytest.mark.proves("SCALE-3")
def test_a_function_that_joins_accounts_with_shards_is_found(audits: Audits) -> None:
    function = next(
        each for each in audits.catalogue.functions.values() if each.name == "due_webhooks"
    )
    mixed = function._replace(body=function.body.replace("public.ledgers", "public.users, ledgers"))
    assert list(distribution.mixed(function, audits.catalogue)) == []
    (found,) = distribution.mixed(mixed, audits.catalogue)
    assert found == "calls due_webhooks, a statement of which touches ledgers, users, webhooks"


PART = {"Distributed Query": {"Job": {"Task Count": 32, "Tasks": [{"Node": "host=one"}]}}}
EXPLAINED = [
    {
        "Plan": {
            "Node Type": "Custom Scan",
            "Custom Plan Provider": "Citus Adaptive",
            "Distributed Query": {
                "Subplans": [{"PlannedStmt": [{"Plan": PART}]}],
                "Job": {"Task Count": 1, "Tasks": [{"Node": "host=two"}]},
            },
        }
    }
]


@pytest.mark.proves("SCALE-30")
def test_the_tasks_of_a_plan_are_counted_also_those_of_its_parts() -> None:
    assert list(task_counts(EXPLAINED)) == [32, 1]
    assert list(task_counts([{"Plan": {"Node Type": "Result"}}])) == []


@pytest.mark.proves("SCALE-30")
def test_a_statement_that_names_its_owner_and_has_several_tasks_is_a_finding(
    audits: Audits,
) -> None:
    def findings(name: str, *tasks: int) -> list[str]:
        plan = Plan((), (), (), 0, 0, tasks)
        return Entry(audits.by_name[name], ["GET /"], plan, "").findings

    assert findings("tasks/get", 1) == []
    assert findings("tasks/get", 1, 32) == ["names its owner, and has 32 tasks"]
    assert findings("webhooks/list_due", 32) == []
    assert Plan((), (), (), 0, 0, (1, 32)).shape == "tasks: 1, 32"

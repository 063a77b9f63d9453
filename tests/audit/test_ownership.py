"""The ownership proof refuses each statement that could touch another owner's row."""

import pytest

from app.audit import ownership
from app.audit.catalogue import Catalogue

CATALOGUE = Catalogue(
    tables={
        "users": ("id", "email"),
        "tasks": ("owner_id", "id", "title", "document"),
        "ledgers": ("owner_id", "version", "hash"),
        "entries": ("owner_id", "version", "task_id"),
        "keys": ("owner_id", "key", "body"),
        "ended": ("session_id",),
        "staged": ("id", "title"),
    },
    functions={
        "utc": frozenset(),
        "all_titles": frozenset({"tasks"}),
        "erase": frozenset({"tasks"}),
    },
    writers=frozenset({"erase"}),
)

REFUSED = {
    "no predicate": "SELECT title FROM tasks",
    "another column": "SELECT title FROM tasks WHERE id = %(owner_id)s",
    "another parameter": "SELECT title FROM tasks WHERE owner_id = %(user_id)s",
    "a parameter whose name begins alike": "SELECT title FROM tasks WHERE owner_id = %(owner_ids)s",
    "the parameter as a text": "SELECT title FROM tasks WHERE owner_id::text = '%%(owner_id)s'",
    "the predicate in a comment":
        "SELECT title FROM tasks WHERE id = %(id)s -- AND owner_id = %(owner_id)s",
    "the predicate in a nested comment":
        "SELECT title FROM tasks WHERE id = %(id)s /* /* */ AND owner_id = %(owner_id)s */",
    "the predicate in a quoted name":
        'SELECT title FROM tasks WHERE id = %(id)s AND "owner_id = %(owner_id)s"',
    "the predicate in a dollar-quoted text":
        "SELECT title FROM tasks WHERE title = $$x AND owner_id = %(owner_id)s$$",
    "or": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s OR id = %(id)s",
    "or after and":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND title = %(t)s OR id = %(id)s",
    "or within parentheses":
        "SELECT title FROM tasks WHERE (owner_id = %(owner_id)s OR TRUE) AND id = %(id)s",
    "an optional owner":
        "SELECT title FROM tasks WHERE (%(owner_id)s IS NULL OR owner_id = %(owner_id)s)",
    "not": "SELECT title FROM tasks WHERE NOT owner_id = %(owner_id)s",
    "unequal": "SELECT title FROM tasks WHERE owner_id <> %(owner_id)s",
    "at least": "SELECT title FROM tasks WHERE owner_id >= %(owner_id)s",
    "distinct": "SELECT title FROM tasks WHERE owner_id IS DISTINCT FROM %(owner_id)s",
    "equality compared with false": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s = FALSE",
    "equality that is null": "SELECT title FROM tasks WHERE (owner_id = %(owner_id)s) IS NOT TRUE",
    "the end of a between":
        "SELECT title FROM tasks WHERE title BETWEEN '' AND owner_id = %(owner_id)s",
    "a tautology": "SELECT title FROM tasks WHERE %(owner_id)s = %(owner_id)s",
    "the column with itself": "SELECT title FROM tasks WHERE owner_id = tasks.owner_id",
    "coalesce": "SELECT title FROM tasks WHERE owner_id = coalesce(%(owner_id)s, owner_id)",
    "case":
        "SELECT title FROM tasks WHERE CASE WHEN %(all)s THEN TRUE "
        " ELSE owner_id = %(owner_id)s END",
    "one of several": "SELECT title FROM tasks WHERE owner_id IN (%(owner_id)s, %(friend_id)s)",
    "any of an array": "SELECT title FROM tasks WHERE owner_id = ANY(%(owner_id)s)",
    "in the result only": "SELECT owner_id = %(owner_id)s AS mine, title FROM tasks",
    "in a filter only": "SELECT count(*) FILTER (WHERE owner_id = %(owner_id)s) AS n FROM tasks",
    "in having only":
        "SELECT owner_id, count(*) AS n FROM tasks GROUP BY owner_id"
        " HAVING owner_id = %(owner_id)s",
    "in order only": "SELECT title FROM tasks ORDER BY owner_id = %(owner_id)s DESC LIMIT 1",
    "after a limit":
        "SELECT t.title FROM (SELECT owner_id, title FROM tasks LIMIT 9) AS t"
        " WHERE t.owner_id = %(owner_id)s",
    "on of a left join, for its left side":
        "SELECT tasks.title FROM tasks LEFT JOIN ledgers ON tasks.owner_id = ledgers.owner_id"
        " AND tasks.owner_id = %(owner_id)s AND ledgers.owner_id = %(owner_id)s",
    "on of a right join, for its right side":
        "SELECT tasks.title FROM ledgers RIGHT JOIN tasks ON tasks.owner_id = ledgers.owner_id"
        " AND tasks.owner_id = %(owner_id)s WHERE ledgers.owner_id = %(owner_id)s",
    "on of a full join":
        "SELECT tasks.title FROM tasks FULL JOIN ledgers ON tasks.owner_id = %(owner_id)s"
        " AND ledgers.owner_id = %(owner_id)s",
    "a left join's right side through a left side that only ON binds":
        "SELECT b.title FROM tasks AS a LEFT JOIN tasks AS b ON b.owner_id = a.owner_id"
        " WHERE a.id = %(id)s",
    "one of two relations":
        "SELECT e.version FROM tasks AS t INNER JOIN entries AS e ON t.id = e.task_id"
        " WHERE t.owner_id = %(owner_id)s",
    "a cross join":
        "SELECT e.version FROM tasks AS t CROSS JOIN entries AS e WHERE t.owner_id = %(owner_id)s",
    "a comma": "SELECT e.version FROM tasks AS t, entries AS e WHERE t.owner_id = %(owner_id)s",
    "a natural join":
        "SELECT t.title FROM tasks AS t NATURAL JOIN entries WHERE t.owner_id = %(owner_id)s",
    "a nested join":
        "SELECT b.title FROM ledgers LEFT JOIN (tasks AS b INNER JOIN entries AS e ON TRUE)"
        " ON ledgers.owner_id = b.owner_id WHERE ledgers.owner_id = %(owner_id)s",
    "an alias that is another table's name":
        "SELECT tasks.title FROM tasks AS ledgers, entries AS tasks"
        " WHERE tasks.owner_id = %(owner_id)s",
    "columns renamed by an alias":
        "SELECT t.title FROM tasks AS t (id, owner_id) WHERE t.owner_id = %(owner_id)s",
    "a CTE's columns renamed":
        "WITH t (owner_id, id) AS (SELECT id, owner_id FROM tasks WHERE owner_id = %(owner_id)s)"
        " SELECT k.body FROM keys AS k INNER JOIN t ON k.owner_id = t.owner_id",
    "a quoted alias that differs in case":
        'WITH t AS (SELECT owner_id AS "OWNER_ID", id AS owner_id FROM tasks'
        ' WHERE owner_id = %(owner_id)s)'
        " SELECT k.body FROM keys AS k INNER JOIN t ON k.owner_id = t.owner_id",
    "an unbound CTE":
        "WITH t AS (SELECT owner_id, id FROM tasks) SELECT t.id FROM t WHERE t.id = %(id)s",
    "a bound CTE's other column":
        "WITH t AS (SELECT owner_id, id FROM tasks WHERE owner_id = %(owner_id)s)"
        " SELECT k.body FROM keys AS k INNER JOIN t ON k.owner_id = t.id",
    "a CTE's name within itself":
        "WITH tasks AS (SELECT owner_id, id FROM tasks) SELECT id FROM tasks"
        " WHERE owner_id = %(owner_id)s",
    "a CTE shadowed by an inner one":
        "WITH l AS (SELECT owner_id FROM ledgers WHERE owner_id = %(owner_id)s), x AS ("
        "WITH l AS (SELECT owner_id FROM ledgers) SELECT owner_id FROM l) SELECT owner_id FROM x",
    "a write to a table that has a CTE's name":
        "WITH tasks AS (SELECT owner_id FROM ledgers WHERE owner_id = %(owner_id)s)"
        " DELETE FROM tasks WHERE id = %(id)s",
    "a table with its schema beside a CTE of the same name":
        "WITH tasks AS (SELECT owner_id, id FROM ledgers WHERE owner_id = %(owner_id)s)"
        " SELECT title FROM public.tasks",
    "a recursive CTE":
        "WITH RECURSIVE t AS (SELECT id FROM tasks WHERE owner_id = %(owner_id)s UNION ALL"
        " SELECT tasks.id FROM tasks INNER JOIN t ON tasks.id = t.id) SELECT id FROM t",
    "one branch of a union":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s UNION ALL SELECT title FROM tasks",
    "a union whose second branch gives another id":
        "WITH o AS (SELECT owner_id FROM ledgers WHERE owner_id = %(owner_id)s UNION"
        " SELECT session_id FROM ended) SELECT t.title FROM tasks AS t"
        " INNER JOIN o ON t.owner_id = o.owner_id",
    "a sub-select in the result":
        "SELECT (SELECT max(title) FROM tasks) AS title FROM ledgers WHERE owner_id = %(owner_id)s",
    "a sub-select in where":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s"
        " AND id IN (SELECT task_id FROM entries)",
    "exists over a table without that column":
        "SELECT 1 AS one FROM tasks"
        " WHERE EXISTS (SELECT 1 FROM users WHERE owner_id = %(owner_id)s)",
    "an inner predicate that means the outer table":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s"
        " AND EXISTS (SELECT 1 FROM users WHERE owner_id = %(owner_id)s)",
    "a derived table that only the outside filters by another column":
        "SELECT s.title FROM (SELECT id, title FROM tasks) AS s WHERE s.id = %(owner_id)s",
    "a lateral without the owner":
        "SELECT p.n FROM ledgers CROSS JOIN LATERAL (SELECT count(*) AS n FROM tasks"
        " WHERE tasks.id = %(id)s) AS p WHERE ledgers.owner_id = %(owner_id)s",
    "two laterals that are only equal to each other":
        "SELECT l.version FROM ledgers AS l CROSS JOIN LATERAL (SELECT t.owner_id FROM tasks AS t"
        " WHERE t.owner_id = l.owner_id) AS p WHERE l.owner_id = p.owner_id",
    "a sub-select that names its neighbour without LATERAL":
        "SELECT p.n FROM ledgers, (SELECT count(*) AS n FROM tasks"
        " WHERE tasks.owner_id = ledgers.owner_id) AS p WHERE ledgers.owner_id = %(owner_id)s",
    "an update by id": "UPDATE tasks SET title = %(title)s WHERE id = %(id)s",
    "an update whose from alone is bound":
        "UPDATE tasks SET title = %(title)s FROM ledgers AS l"
        " WHERE l.owner_id = %(owner_id)s AND tasks.id = %(id)s",
    "an update that gives a row away":
        "UPDATE tasks SET owner_id = %(friend_id)s WHERE owner_id = %(owner_id)s",
    "an update that gives a row away in a list":
        "UPDATE tasks SET (title, owner_id) = (%(title)s, %(friend_id)s)"
        " WHERE owner_id = %(owner_id)s",
    "an update with a foreign sub-select":
        "UPDATE tasks SET title = (SELECT title FROM tasks AS t WHERE t.id = %(id)s)"
        " WHERE owner_id = %(owner_id)s",
    "an update that returns what it joined":
        "UPDATE ledgers SET version = 1 FROM tasks WHERE ledgers.owner_id = %(owner_id)s"
        " RETURNING tasks.title",
    "a delete through using": "DELETE FROM keys USING tasks WHERE tasks.owner_id = %(owner_id)s",
    "an insert for another owner":
        "INSERT INTO tasks (owner_id, id) VALUES (%(friend_id)s, %(id)s)",
    "an insert with the owner in another column":
        "INSERT INTO tasks (id, owner_id) VALUES (%(owner_id)s, %(id)s)",
    "an insert whose second row is another owner's":
        "INSERT INTO tasks (owner_id, id) VALUES (%(owner_id)s, %(id)s), (%(friend_id)s, %(id)s)",
    "an insert that leaves the owner out": "INSERT INTO tasks (id) VALUES (%(id)s)",
    "an insert without columns": "INSERT INTO tasks VALUES (%(owner_id)s, %(id)s)",
    "an insert of selected rows of others":
        "INSERT INTO keys (owner_id, key) SELECT owner_id, title FROM tasks",
    "an insert that copies others' rows to the owner":
        "INSERT INTO keys (owner_id, key) SELECT %(owner_id)s, title FROM tasks",
    "an insert of a bound select in the wrong order":
        "INSERT INTO keys (owner_id, key) SELECT id, owner_id FROM tasks"
        " WHERE owner_id = %(owner_id)s",
    "an upsert that takes over another's row":
        "INSERT INTO keys (owner_id, key) VALUES (%(owner_id)s, %(key)s)"
        " ON CONFLICT (key) DO UPDATE SET body = excluded.body",
    "an upsert that gives the row away":
        "INSERT INTO keys (owner_id, key) VALUES (%(owner_id)s, %(key)s)"
        " ON CONFLICT (owner_id, key) DO UPDATE SET owner_id = %(friend_id)s",
    "a star in a CTE, whose columns are unknown":
        "WITH t AS (SELECT * FROM tasks WHERE owner_id = %(owner_id)s)"
        " SELECT k.body FROM keys AS k INNER JOIN t USING (key)",
    "two statements": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s; DELETE FROM tasks",
    "a merge":
        "MERGE INTO tasks USING ledgers ON tasks.owner_id = %(owner_id)s WHEN MATCHED THEN DELETE",
    "select into": "SELECT title INTO copied FROM tasks WHERE owner_id = %(owner_id)s",
    "truncate": "TRUNCATE tasks",
    "copy": "COPY tasks TO STDOUT",
    "a table command": "TABLE tasks",
    "a view or table that no migration makes":
        "SELECT title FROM everything WHERE owner_id = %(owner_id)s",
    "another schema": "SELECT title FROM archive.tasks WHERE owner_id = %(owner_id)s",
    "a function that reads the table": "SELECT title FROM all_titles() AS a (title)",
    "a function that runs a text": "SELECT query_to_xml('SELECT 1', TRUE, TRUE, '') AS x",
    "a copy into an owner's table": "COPY tasks (owner_id, id) FROM STDIN",
    "a copy without columns": "COPY staged FROM STDIN",
    "a copy from a program": "COPY ended (session_id) FROM PROGRAM 'id'",
    "a copy from a file": "COPY ended (session_id) FROM '/etc/passwd'",
    "a copy of a table": "COPY tasks (owner_id, id) TO STDOUT",
    "a copy of a query": "COPY (SELECT title FROM tasks) TO STDOUT",
    "a permanent table": "CREATE TABLE staged (id uuid, title text)",
    "a view": "CREATE VIEW staged AS SELECT title FROM tasks",
    "a temporary table with the rows of a query":
        "CREATE TEMPORARY TABLE staged AS SELECT title FROM tasks",
    "a temporary table that hides an owner's": "CREATE TEMPORARY TABLE tasks (id uuid, title text)",
    "a temporary table that references an owner's":
        "CREATE TEMPORARY TABLE staged (id uuid REFERENCES users (id), title text)",
    "a temporary table like an owner's": "CREATE TEMPORARY TABLE staged (LIKE tasks)",
}  # fmt: skip

ACCEPTED = {
    "a predicate": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND id = %(id)s",
    "a cast": "SELECT title FROM tasks WHERE %(owner_id)s::uuid = owner_id",
    "parentheses": "SELECT title FROM tasks WHERE ((owner_id = %(owner_id)s) AND (id = %(id)s))",
    "capitals": "SELECT title FROM TASKS WHERE OWNER_ID = %(owner_id)s",
    "an or beside it":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND (id = %(id)s OR title = '')",
    "a backslash before the quote":
        r"SELECT title FROM tasks WHERE title = '\' AND owner_id = %(owner_id)s AND id <> '--'",
    "users by their id": "SELECT email FROM users WHERE id = %(owner_id)s",
    "an inner join by the owner":
        "SELECT e.version FROM tasks AS t INNER JOIN entries AS e ON e.owner_id = t.owner_id"
        " WHERE t.owner_id = %(owner_id)s",
    "a left join's nullable side":
        "SELECT k.body FROM tasks AS t LEFT JOIN keys AS k ON k.owner_id = t.owner_id"
        " WHERE t.owner_id = %(owner_id)s",
    "a right join's nullable side":
        "SELECT k.body FROM keys AS k RIGHT JOIN tasks AS t ON k.owner_id = t.owner_id"
        " WHERE t.owner_id = %(owner_id)s",
    "a bound CTE":
        "WITH t AS (SELECT owner_id AS o FROM tasks WHERE owner_id = %(owner_id)s)"
        " SELECT k.body FROM keys AS k INNER JOIN t ON k.owner_id = t.o",
    "a bound CTE that is called like a table":
        "WITH tasks AS (SELECT id FROM tasks WHERE owner_id = %(owner_id)s) SELECT id FROM tasks",
    "what a write returns":
        "WITH d AS (DELETE FROM tasks WHERE owner_id = %(owner_id)s RETURNING owner_id, id)"
        " INSERT INTO keys (owner_id, key) SELECT owner_id, id FROM d",
    "a lateral bound from outside":
        "SELECT p.n FROM ledgers CROSS JOIN LATERAL (SELECT count(*) AS n FROM tasks"
        " WHERE tasks.owner_id = ledgers.owner_id) AS p WHERE ledgers.owner_id = %(owner_id)s",
    "an exists bound from outside":
        "DELETE FROM tasks WHERE owner_id = %(owner_id)s"
        " AND EXISTS (SELECT 1 FROM entries AS e WHERE e.owner_id = tasks.owner_id)",
    "both branches of a union":
        "WITH o AS (SELECT owner_id FROM ledgers WHERE owner_id = %(owner_id)s UNION ALL"
        " SELECT owner_id FROM tasks WHERE owner_id = %(owner_id)s)"
        " SELECT k.body FROM keys AS k INNER JOIN o ON k.owner_id = o.owner_id",
    "an upsert of the owner's own row":
        "INSERT INTO keys (owner_id, key) VALUES (%(owner_id)s, %(key)s)"
        " ON CONFLICT (owner_id, key) DO UPDATE SET body = excluded.body",
    "an upsert that checks the row":
        "INSERT INTO keys (owner_id, key) VALUES (%(owner_id)s, %(key)s)"
        " ON CONFLICT (key) DO UPDATE SET body = '' WHERE keys.owner_id = %(owner_id)s",
    "a lock of what from names":
        "SELECT t.id FROM tasks AS t WHERE t.owner_id = %(owner_id)s FOR UPDATE OF t",
    "a table without owners": "SELECT session_id FROM ended",
    "no table": "SELECT set_config('a.b', %(value)s, TRUE) AS value",
}  # fmt: skip


@pytest.mark.proves("OWN-4")
@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED)
def test_a_statement_that_could_touch_another_owners_row_is_refused(statement: str) -> None:
    objections = ownership.prove(statement, CATALOGUE).objections
    assert objections
    assert not any("can't be parsed" in objection.text for objection in objections)


@pytest.mark.parametrize("statement", ACCEPTED.values(), ids=ACCEPTED)
def test_a_statement_that_binds_all_its_rows_is_accepted(statement: str) -> None:
    assert ownership.prove(statement, CATALOGUE).objections == []


def test_a_binding_has_the_equalities_that_lead_to_the_owner() -> None:
    proof = ownership.prove(ACCEPTED["an inner join by the owner"], CATALOGUE)
    paths = {binding.table: (binding.path, binding.is_direct) for binding in proof.bindings}
    assert paths == {
        "tasks": ("t.owner_id = %(owner_id)s", True),
        "entries": ("e.owner_id = t.owner_id = %(owner_id)s", False),
    }


def test_a_predicate_has_its_position_in_the_text() -> None:
    text = "SELECT title\nFROM tasks AS t\nWHERE t.id = %(id)s AND t.owner_id = %(owner_id)s"
    (predicate,) = ownership.prove(text, CATALOGUE).predicates
    assert text[predicate.start : predicate.end] == "t.owner_id = %(owner_id)s"


@pytest.mark.parametrize(
    ("text", "effects"),
    [
        ("SELECT title FROM tasks WHERE owner_id = %(owner_id)s", []),
        ("SELECT title FROM all_titles() AS a (title)", []),
        ("SELECT set_config('a.b', '', TRUE) AS value", []),
        ("DELETE FROM keys WHERE owner_id = %(owner_id)s", ["writes keys"]),
        ("WITH d AS (DELETE FROM keys RETURNING key) SELECT key FROM d", ["writes keys"]),
        (
            "WITH t AS (SELECT id FROM tasks) INSERT INTO ended (session_id) SELECT id FROM t",
            ["writes ended"],
        ),
        ("UPDATE ONLY tasks AS t SET title = '' FROM ledgers", ["writes tasks"]),
        ("SELECT id FROM (SELECT id FROM tasks FOR UPDATE) AS t", ["locks rows"]),
        ("SELECT id FROM tasks FOR NO KEY UPDATE", ["locks rows"]),
        ("SELECT id FROM tasks AS t FOR KEY SHARE OF t SKIP LOCKED", ["locks rows"]),
        ("SELECT erase(%(owner_id)s) AS erased", ["calls erase, which writes"]),
        ("SELECT id FROM public.ERASE() AS e (id)", ["calls erase, which writes"]),
        ('SELECT "erase"() AS erased', ["calls erase, which writes"]),
        ("CREATE TEMPORARY TABLE staged (id uuid)", None),
        ("COPY staged (id, title) FROM STDIN", None),
        ("this is no SQL", None),
        ("TRUNCATE tasks", None),
    ],
)
def test_the_effects_of_a_statement_besides_reading(text: str, effects: list[str] | None) -> None:
    assert ownership.prove(text, CATALOGUE).effects == effects

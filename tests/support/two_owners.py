"""What a statement for one of two owners, whose rows have the same ids, shows and changes.

It is run with both owners' rows, and with those of the first alone: an owner's result and rows must
not depend on the other's, and the other's rows must stay as they are, without a lock.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import pq

from app import devdb
from app.db import migrations
from app.db.statements import Statement
from tests.support.databases import Postgres

ALICE, BOB = UUID(int=0xA11CE), UUID(int=0xB0B)  # so that bob sorts before alice
TASKS = UUID(int=1), UUID(int=2)
SESSION, NEW_SESSION = UUID(int=11), UUID(int=12)
# The parameters of all statements, as they are sent. What begins with bob is in bob's rows only.
PARAMETERS: Mapping[str, str | None] = {
    "owner_id": str(ALICE),
    "owner_ids": str(BOB),
    "other": str(BOB),
    "first": str(UUID(int=0)),
    "last": str(UUID(int=2**128 - 1)),
    "no_owner": None,
    "ids": f"{{{BOB},{ALICE}}}",
    "id": str(TASKS[0]),
    "session": str(SESSION),
    "new_session": str(NEW_SESSION),
    "x": f'[{{"c": "{BOB}"}}]',
    "title": "none",
    "bob": "bob",
    "bob_title": "bob 1",
    "true": "true",
    "nothing": "",
    "number": "1",
    "hash": "\\x0001",
    "new_hash": "\\x0002",
    "then": "2026-01-01T00:00:00Z",
}
SEED = """
INSERT INTO users (id, email, email_key) VALUES (%(id)s, %(name)s, %(name)s);
INSERT INTO credentials (owner_id, password_hash) VALUES (%(id)s, %(name)s);
INSERT INTO ledgers (owner_id) VALUES (%(id)s);
INSERT INTO sessions (owner_id, id, user_agent, token_hash)
VALUES (%(id)s, %(session)s, %(name)s, sha256(''));
INSERT INTO known_addresses (owner_id, address_hash) VALUES (%(id)s, '\\x0001');
INSERT INTO idempotency_keys (owner_id, key, request_hash, status, body)
VALUES (%(id)s, 'key', sha256(''), 200, %(name)s);
INSERT INTO tasks (
    owner_id, id, title, title_folded, description_folded, created_at, updated_at, version,
    last_action, request_id
)
SELECT
    %(id)s, given.id, %(name)s || ' ' || given.version, '', '', now(),
    now() + given.version * interval '1 second', given.version, 'create', %(name)s
FROM (VALUES (%(one)s, 1), (%(two)s, 2)) AS given (id, version)
"""
# Rows that have no owner.
COMMON = """
INSERT INTO ended_sessions (session_id) VALUES (%(id)s);
INSERT INTO login_attempts (account_hash, address_hash, failures, last_failure_at)
VALUES ('\\x01', '', 1, now());
"""
OWNED = (
    "users", "credentials", "ledgers", "sessions", "known_addresses",
    "idempotency_keys", "tasks", "ledger_entries",
)  # fmt: skip
# Alice's rows; and those of all others, with the transactions that have locked them.
MINE, OTHERS = (
    " UNION ALL ".join(
        f"SELECT '{table}', t::text, {lock} FROM {table} AS t"
        f" WHERE {'id' if table == 'users' else 'owner_id'} {comparison} '{ALICE}'"
        for table in OWNED
    )
    + " ORDER BY 1, 2"
    for comparison, lock in (("=", "''"), ("<>", "xmax::text"))
)
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][0-9:.]+(Z|\+00(:00)?)?")


@dataclass(frozen=True)
class Outcome:
    """The result of a statement: its rows in order, or its error; and whose rows it changed."""

    rows: tuple[str, ...]
    error: str
    mine: tuple[str, ...]
    others_changed: bool


class TwoOwners:
    """A database with both owners, and one with the first alone; no run changes them."""

    def __init__(self, postgres: Postgres, template: str) -> None:
        self._parts = ExitStack()
        alone = self._parts.enter_context(postgres.database(template=template))
        migrations.switch_row_security(postgres.url(alone), on=False)
        with psycopg.connect(postgres.superuser_url(alone), autocommit=True) as connection:
            _seed(connection, ALICE, "alice")
            _execute_all(connection, COMMON, {"id": ALICE})
        # A copy, so that alice's rows are the same in both, times included.
        both = self._parts.enter_context(postgres.database(template=alone))
        self.alone, self.both = (
            self._parts.enter_context(
                psycopg.connect(postgres.superuser_url(name), autocommit=True)
            )
            for name in (alone, both)
        )
        _seed(self.both, BOB, "bob")

    def close(self) -> None:
        """Drops the databases."""
        self._parts.close()

    def interferences(self, statement: Statement[Any], *, ordered: bool = True) -> Iterator[str]:
        """How bob's rows show in alice's statement, and how it changes them."""
        alone, both = run(self.alone, statement), run(self.both, statement)
        rows = [each.rows if ordered else sorted(each.rows) for each in (alone, both)]
        if (rows[0], alone.error) != (rows[1], both.error):
            yield f"{both.rows} {both.error} instead of {alone.rows} {alone.error}"
        if alone.mine != both.mine:
            yield "alice's rows depend on bob's"
        if both.others_changed:
            yield "bob's rows are changed"


def _seed(connection: psycopg.Connection[Any], owner: UUID, name: str) -> None:
    given = {"session": SESSION, "one": TASKS[0], "two": TASKS[1], "id": owner, "name": name}
    with connection.transaction():
        _execute_all(connection, SEED, given)
    connection.execute("ANALYZE")


def run(connection: psycopg.Connection[Any], statement: Statement[Any]) -> Outcome:
    """Runs the statement as the service's role if it may, as a superuser otherwise; undoes it."""
    for role in (devdb.APPLICATION, "none"):
        with connection.transaction(force_rollback=True):
            before = _rows(connection, OTHERS)
            connection.execute("SAVEPOINT before")
            connection.execute("SELECT set_config('role', %s, TRUE)", (role,))
            values = [_value(name) for name in statement.parameters]
            result = connection.pgconn.exec_params(statement.query, values)
            if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
                if state == "42501" and role != "none":
                    continue
                message = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode()
                return Outcome((), f"{state} {message}", (), False)
            rows = tuple(
                _timeless([result.get_value(row, column) for column in range(result.nfields)])
                for row in range(result.ntuples)
            )
            connection.execute("SELECT set_config('role', 'none', TRUE)")
            changed = _rows(connection, OTHERS) != before
            return Outcome(rows, "", _rows(connection, MINE), changed)
    raise AssertionError("not reached")


def _value(name: str) -> bytes | None:
    value = PARAMETERS[name]
    return None if value is None else value.encode()


def _execute_all(
    connection: psycopg.Connection[Any], script: str, parameters: Mapping[str, Any]
) -> None:
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement, parameters)


def _rows(connection: psycopg.Connection[Any], query: str) -> tuple[str, ...]:
    return tuple(map(_timeless, connection.execute(query).fetchall()))


def _timeless(row: Sequence[Any]) -> str:
    return TIME.sub("<time>", str(row))

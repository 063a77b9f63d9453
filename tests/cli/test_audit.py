"""`flask audit`: its report, and its exit status."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from app import create_app, db, devdb
from app.audit import plans, statements
from app.audit.exemptions import EXEMPTIONS
from app.audit.report.results import Entry, Report
from app.audit.statements import Audited
from app.config import Config
from app.db import migrations
from app.devdb import postgres as devdb_postgres
from tests.support.audited import auditing
from tests.support.databases import Postgres, memory_directory
from tests.support.reports import ACCESS, parsed

SMALL = ["--owners", "12", "--tasks", "500"]


@pytest.fixture(scope="module")
def document(
    postgres: Postgres, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The audit as JSON; with plans of a small database, since it is run in a test."""
    config = Config.from_env(
        {
            "APP_ENV": "test",
            "DATABASE_URL": postgres.url(migrated),
            "DATA_DIR": str(tmp_path_factory.mktemp("audit")),
        }
    )
    output = config.data_dir / "audit.json"
    arguments = ["audit", "--format", "json", "--output", str(output)]
    runner = create_app(config).test_cli_runner()
    result = runner.invoke(args=[*arguments, "--scratch", postgres.admin_url, *SMALL])
    db.close_pool()
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(output.read_text())
    return document


@pytest.fixture(scope="module")
def report(document: dict[str, Any]) -> dict[str, dict[str, object]]:
    """The statements of `document` by their files."""
    return {entry["file"]: entry for entry in document["statements"]}


def proofs(postgres: Postgres) -> list[str]:
    """The arguments for an audit without plans."""
    return ["audit", "--no-plans", "--scratch", postgres.admin_url]


@pytest.fixture(scope="module")
def get_task(postgres: Postgres, migrated: str) -> Audited:
    """The audit of sql/tasks/get.sql."""
    with auditing(postgres, migrated) as audits:
        return statements.audit("tasks/get", audits.catalogue)


def test_the_audit_of_this_code_has_no_finding(report: dict[str, dict[str, object]]) -> None:
    assert [entry["findings"] for entry in report.values() if entry["findings"]] == []
    assert len(report) == len(list(db.SQL.rglob("*.sql")))


def test_an_entry_has_the_header_the_entry_points_and_the_bindings(
    report: dict[str, dict[str, object]],
) -> None:
    entry = report["sql/tasks/get.sql"]
    assert entry["entry_points"] == ["GET /api/{user_id}/tasks/{task_id}", "POST /mcp"]
    assert entry["bindings"] == [
        {"table": "lists", "path": "lists.owner_id = %(owner_id)s"},
        {"table": "tasks", "path": "tasks.owner_id = %(owner_id)s"},
    ]
    assert entry["writes"] is False
    assert entry["parameters"] == [
        {"name": "owner_id", "type": "uuid", "is_nullable": False},
        {"name": "id", "type": "uuid", "is_nullable": False},
    ]
    assert entry["columns"] == [
        {"name": "id", "type": "uuid", "is_nullable": False},
        {"name": "version", "type": "bigint", "is_nullable": False},
        {"name": "document", "type": "json", "is_nullable": False},
    ]
    assert report["sql/auth/erase_events.sql"]["writes"] is True


def test_the_summary_counts_the_statements(document: dict[str, Any]) -> None:
    summary = document["summary"]
    assert summary["statements"] == summary["reads"] + summary["writes"]
    assert summary["statements"] == sum(summary["proofs"].values()) == len(document["statements"])
    assert {"tasks", "users"} <= {*summary["owned_tables"]}
    assert "items" not in summary["owned_tables"]
    assert summary["findings"] == []
    assert summary["left_out"] is None
    assert {each["file"] for each in summary["exemptions"]} == {
        f"sql/{name}.sql" for name in EXEMPTIONS
    }


def test_rights_and_triggers_are_those_of_the_scratch_database(document: dict[str, Any]) -> None:
    (readable,) = (
        right["columns"]
        for right in document["rights"]
        if (right["role"], right["table"]) == (devdb.APPLICATION, "credentials")
        if right["privilege"] == "select"
    )
    assert readable == ["owner_id", "changed_at"]
    states = {trigger["name"]: trigger["state"] for trigger in document["triggers"]}
    assert states["ledger_entries_kept"] == "enabled"
    assert "password_hash_of(uuid)" in {
        each["function"] for each in document["security_definer_functions"]
    }


def test_an_entry_has_the_plan(report: dict[str, dict[str, object]]) -> None:
    plan = report["sql/tasks/get.sql"]["plan"]
    assert isinstance(plan, dict)
    assert plan["indexes"] == ["lists_pkey", "tasks_pkey"]
    assert plan["rows"] == 2
    assert 1 <= plan["buffers"] <= 12


def test_the_scratch_database_is_gone_afterwards(
    report: dict[str, dict[str, object]], postgres: Postgres
) -> None:
    assert report
    with psycopg.connect(postgres.admin_url) as connection:
        left = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'ownrow_audit_%'"
        ).fetchall()
    assert left == []


def test_a_sequential_scan_of_a_big_table_is_a_finding(
    postgres: Postgres, get_task: Audited
) -> None:
    text = "SELECT count(*) FROM tasks WHERE title = 'no index'"
    with plans.scratch(postgres.admin_url) as connection:
        plans.fill(connection, owners=12, tasks=500)
        plan = plans.explain(connection, "tasks/new", text)
    assert plan.sequential == ("tasks",)
    assert plan.rows == 6000
    assert Report([Entry(get_task, ["GET /"], plan, "")], [], ACCESS, has_plans=True).findings == [
        "sql/tasks/get.sql scans tasks sequentially"
    ]


def test_a_statement_that_nothing_runs_is_a_finding(get_task: Audited) -> None:
    assert Report([Entry(get_task, [], None, "")], [], ACCESS, has_plans=False).findings == [
        "sql/tasks/get.sql is run by nothing"
    ]


@pytest.mark.proves("OWN-4")
def test_a_finding_is_exit_status_1_and_named(
    app: Flask, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sql = tmp_path / "sql"
    shutil.copytree(db.SQL, sql)
    (sql / "tasks" / "get.sql").write_text(
        "-- Reads.\n-- @reads\n-- @returns version bigint, document json\n"
        "SELECT version, document FROM tasks\n"
    )
    monkeypatch.setattr(db, "SQL", sql)
    result = app.test_cli_runner().invoke(args=proofs(postgres))
    assert result.exit_code == 1
    assert result.stderr == "sql/tasks/get.sql does not bind tasks to the owner\n"


def test_a_header_that_differs_from_postgresqls_description_is_a_finding(
    app: Flask, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sql = tmp_path / "sql"
    shutil.copytree(db.SQL, sql)
    file = sql / "tasks" / "get.sql"
    file.write_text(file.read_text().replace("version bigint", "version integer"))
    monkeypatch.setattr(db, "SQL", sql)
    runner = app.test_cli_runner()
    result = runner.invoke(args=["audit", "--scratch", postgres.admin_url, *SMALL])
    assert result.exit_code == 1
    finding = "sql/tasks/get.sql header: @returns version is integer, PostgreSQL has bigint"
    assert result.stderr.splitlines()[1:] == [finding]
    assert runner.invoke(args=proofs(postgres)).exit_code == 0


def test_the_page_is_written_to_a_file(app: Flask, postgres: Postgres, tmp_path: Path) -> None:
    file = tmp_path / "audit.html"
    arguments = [*proofs(postgres), "--format", "html", "--output", str(file)]
    result = app.test_cli_runner().invoke(args=arguments)
    assert (result.exit_code, result.output) == (0, "")
    page = parsed(file.read_text(encoding="utf-8"))
    assert len(page.all("details")) == len(list(db.SQL.rglob("*.sql")))


def test_the_text_has_a_row_per_file(app: Flask, postgres: Postgres) -> None:
    result = app.test_cli_runner().invoke(args=proofs(postgres))
    assert result.exit_code == 0
    files = [line.split()[0] for line in result.stdout.splitlines() if line.startswith("sql/")]
    assert len(files) == len(list(db.SQL.rglob("*.sql")))
    assert result.stdout.endswith("statements, no finding\n")


@pytest.mark.proves("OWN-71")
@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_a_report_without_plans_says_so_and_how_to_include_them(
    app: Flask, postgres: Postgres, form: str
) -> None:
    result = app.test_cli_runner().invoke(args=[*proofs(postgres), "--format", form])
    assert result.exit_code == 0
    assert "Plans, and the comparison of headers with PostgreSQL, were left out" in result.stdout
    assert "run flask audit without --no-plans for them" in result.stdout
    assert "ownrow_app" in result.stdout  # the rights are not left out
    assert "ledger_entries_kept" in result.stdout  # nor the triggers


def test_without_a_postgresql_the_error_names_the_option_for_another_one(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(version: int) -> Path:
        raise devdb.EmbeddedError(f"there is no PostgreSQL {version} here")

    monkeypatch.setattr(devdb_postgres, "_find", find)
    result = app.test_cli_runner().invoke(args=["audit", "--no-plans"])
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: there is no PostgreSQL 18 here; or name a server by --scratch\n"
    )


@pytest.fixture
def counted_url() -> Iterator[str]:
    """A database with pg_stat_statements, on Debian's server: the wheel's does not include it."""
    contrib = Path("/usr/share/postgresql/15/extension/pg_stat_statements.control")
    if not contrib.exists():
        pytest.skip("needs pg_stat_statements: apt-get install postgresql-15")
    directory = Path(tempfile.mkdtemp(prefix="ownrow-test-", dir=memory_directory()))
    settings = {"shared_preload_libraries": "pg_stat_statements", "fsync": "off"}
    with devdb.start(directory, version=15, settings=settings) as running:
        with psycopg.connect(running.url(user=devdb.SUPERUSER)) as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
        migrations.upgrade(running.url())
        yield running.url(user=devdb.SUPERUSER)
    shutil.rmtree(directory)


def test_an_entry_has_the_statements_id_in_pg_stat_statements(
    config: Config, postgres: Postgres, counted_url: str
) -> None:
    app = create_app(replace(config, database_url=counted_url, migration_database_url=counted_url))
    app.test_client().post(
        "/api/auth/register", json={"email": "a@example.com", "password": "seven quiet rivers"}
    )
    db.close_pool()
    result = app.test_cli_runner().invoke(args=[*proofs(postgres), "--format", "json"])
    statements = json.loads(result.stdout)["statements"]
    ids = {entry["file"]: entry["query_id"] for entry in statements}
    assert int(ids["sql/auth/register.sql"]) != 0
    assert ids["sql/tasks/get.sql"] is None

"""The command line: `flask audit`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import psycopg
from flask import current_app
from flask.cli import with_appcontext

from app.config import Config

if TYPE_CHECKING:
    from app.audit.report import Entry
    from app.audit.statements import Audited

QUERY_IDS = """
SELECT substring(query FROM '^/\\* sql/(.*?)\\.sql \\*/') AS name, queryid::text
FROM pg_stat_statements
WHERE query LIKE '/* sql/%'
    AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@click.command("audit")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text")
@click.option("--output", type=click.Path(path_type=Path), help="Write the report to this file.")
@click.option(
    "--plans/--no-plans",
    default=True,
    help="Run each statement on 1,000,000 tasks, and compare its header with PostgreSQL.",
)
@click.option("--scratch", help="URL of the scratch database's server; an embedded one otherwise.")
@click.option("--owners", default=100, show_default=True, type=click.IntRange(1))
@click.option("--tasks", default=10_000, show_default=True, type=click.IntRange(200))
@with_appcontext
def audit(
    form: str, output: Path | None, plans: bool, scratch: str | None, owners: int, tasks: int
) -> None:
    """Prove that each statement binds its rows to their owner; exit status 1 with a finding.

    Prints a row per file in sql/: the endpoints and commands that run it, its tables, where the
    owner is bound, its plan for one of OWNERS owners of TASKS tasks each, and its id in the
    pg_stat_statements of DATABASE_URL. Headers are compared with PostgreSQL's description of the
    statement in the scratch database, so not with --no-plans.
    """
    from app.audit import catalogue, report, statements

    audited = statements.audit_all(catalogue.from_migrations())
    entries = _entries(audited)
    if plans:
        entries = list(_run(entries, scratch, owners, tasks))
    text = {"text": report.as_text, "json": report.as_json, "html": report.as_html}[form](entries)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text, encoding="utf-8")
    if report.findings(entries):
        click.echo("\n".join(report.findings(entries)), err=True)
        raise SystemExit(1)


def _entries(audited: "list[Audited]") -> "list[Entry]":
    from app.audit.call_graph import entry_points
    from app.audit.report import Entry

    found, ids = entry_points(current_app), _query_ids()
    return [Entry(each, found.get(each.name, []), None, ids.get(each.name, "")) for each in audited]


def _run(
    entries: "list[Entry]", scratch_url: str | None, owners: int, tasks: int
) -> "Iterator[Entry]":
    """The entries with their plans, and with the findings of comparing their headers."""
    from app.audit import headers, plans

    click.echo(f"Filling a scratch database with {owners * tasks:,} tasks", err=True)
    with plans.scratch(scratch_url, owners, tasks) as connection:
        for entry in entries:
            each = entry.audited
            try:
                with connection.transaction(force_rollback=True):
                    if each.statement:
                        found = headers.differences(connection, each.statement)
                        each = replace(each, findings=(*each.findings, *found))
                plan = plans.explain(connection, each.name, each.text) if each.has_plan else None
            except psycopg.Error as error:
                raise click.ClickException(f"sql/{each.name}.sql can't be run: {error}") from error
            yield replace(entry, audited=each, plan=plan)


def _query_ids() -> dict[str, str]:
    """The query ids by statement; empty without a database or without pg_stat_statements."""
    config = cast("Config", current_app.extensions["settings"])
    if config.migration_database_url is None:
        return {}
    with psycopg.connect(
        config.migration_database_url, application_name="ownrow command", connect_timeout=2
    ) as connection:
        exists = connection.execute("SELECT to_regclass('pg_stat_statements')").fetchone()
        if exists is None or exists[0] is None:
            return {}
        return dict(connection.execute(QUERY_IDS).fetchall())

"""The command line: `flask audit`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import psycopg
from flask import current_app
from flask.cli import with_appcontext

from app.config import Config

if TYPE_CHECKING:
    from app.audit.plans import Plan
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
@click.option("--plans/--no-plans", default=True, help="Run every statement on 1,000,000 tasks.")
@click.option("--scratch", help="URL of a server for that, instead of an embedded one.")
@click.option("--owners", default=100, show_default=True, type=click.IntRange(1))
@click.option("--tasks", default=10_000, show_default=True, type=click.IntRange(200))
@with_appcontext
def audit(
    form: str, output: Path | None, plans: bool, scratch: str | None, owners: int, tasks: int
) -> None:
    """Prove that each statement binds its rows to their owner; exit status 1 with a finding.

    A table with a row per file in sql/: who runs it, what it touches, where the owner is bound,
    how PostgreSQL runs it for an owner of TASKS among OWNERS like that, and its id in the
    pg_stat_statements of DATABASE_URL.
    """
    from app.audit import catalogue, report, statements

    audited = statements.audit_all(catalogue.from_migrations())
    explained = dict(_plans(audited, scratch, owners, tasks)) if plans else {}
    entries = _entries(audited, explained)
    text = {"text": report.as_text, "json": report.as_json, "html": report.as_html}[form](entries)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text, encoding="utf-8")
    if report.findings(entries):
        click.echo("\n".join(report.findings(entries)), err=True)
        raise SystemExit(1)


def _plans(
    audited: "list[Audited]", scratch_url: str | None, owners: int, tasks: int
) -> "Iterator[tuple[str, Plan]]":
    from app.audit import plans

    click.echo(f"Filling a scratch database with {owners * tasks:,} tasks", err=True)
    with plans.scratch(scratch_url, owners, tasks) as connection:
        for each in (each for each in audited if each.has_plan):
            try:
                yield each.name, plans.explain(connection, each.name, each.text)
            except psycopg.Error as error:
                raise click.ClickException(f"sql/{each.name}.sql can't be run: {error}") from error


def _entries(audited: "list[Audited]", explained: "Mapping[str, Plan]") -> "list[Entry]":
    from app.audit.callers import callers
    from app.audit.report import Entry

    found, ids = callers(current_app), _query_ids()
    return [
        Entry(each, found.get(each.name, []), explained.get(each.name), ids.get(each.name, ""))
        for each in audited
    ]


def _query_ids() -> dict[str, str]:
    """By statement; empty without a database, or without pg_stat_statements in it."""
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

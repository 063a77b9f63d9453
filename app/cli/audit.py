"""The command line: `flask audit`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import psycopg
from flask import current_app
from flask.cli import with_appcontext

from app.config import Config
from app.db import session
from app.db.errors import cause
from app.devdb import EmbeddedError

if TYPE_CHECKING:
    from app.audit.report.results import Entry, Report
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

    The report has a summary, the rights of each role, the triggers, and per file in sql/ the
    endpoints and commands that run it, its tables, where the owner is bound, its plan for one of
    OWNERS owners of TASKS tasks each, and its id in the pg_stat_statements of DATABASE_URL. The
    proof needs a scratch database, as it reads the query trees that PostgreSQL makes of the
    statements; --no-plans leaves it without rows, and leaves out the plans and the comparison of
    headers with PostgreSQL, as the report says then. As HTML it is one page that needs no other
    file and no network.
    """
    from app.audit import access, statements
    from app.audit.catalogue import Catalogue
    from app.audit.plans import scratch as scratch_database
    from app.audit.report.results import Report

    try:
        with scratch_database(scratch) as connection:
            catalogue = Catalogue(connection)
            entries = _entries(statements.audit_all(catalogue))
            if plans:
                entries = _run_all(connection, entries, owners, tasks)
            report = Report(entries, catalogue.owned_tables, access.read(connection), plans)
    except psycopg.Error as error:
        raise click.ClickException(f"The database can't be used: {cause(error)}") from error
    except EmbeddedError as error:
        raise click.ClickException(f"{error}; or name a server by --scratch") from error
    _print(report, form, output)
    if report.findings:
        click.echo("\n".join(report.findings), err=True)
        raise SystemExit(1)


def _print(report: "Report", form: str, output: Path | None) -> None:
    from app.audit.report import document, page, terminal

    forms = {"text": terminal.as_text, "json": document.as_json, "html": page.as_html}
    text = forms[form](report)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text, encoding="utf-8")


def _entries(audited: "list[Audited]") -> "list[Entry]":
    from app.audit.call_graph import entry_points
    from app.audit.report.results import Entry

    found, ids = entry_points(current_app), _query_ids()
    return [Entry(each, found.get(each.name, []), None, ids.get(each.name, "")) for each in audited]


def _run_all(
    connection: "psycopg.Connection[Any]", entries: "list[Entry]", owners: int, tasks: int
) -> "list[Entry]":
    """The entries with what only a database with rows can tell."""
    from app.audit import plans

    click.echo(f"Filling a scratch database with {owners * tasks:,} tasks", err=True)
    plans.fill(connection, owners, tasks)
    return [_run(connection, entry) for entry in entries]


def _run(connection: "psycopg.Connection[Any]", entry: "Entry") -> "Entry":
    """The entry with its plan, and with the findings of comparing its header."""
    from app.audit import headers, plans

    each = entry.audited
    try:
        with connection.transaction(force_rollback=True):
            if each.statement:
                found = headers.differences(connection, each.statement)
                each = replace(each, findings=(*each.findings, *found))
        plan = (
            plans.explain(connection, each.name, each.text)
            if each.proof.effects is not None
            else None
        )
    except psycopg.Error as error:
        raise click.ClickException(f"{entry.file} can't be run: {cause(error)}") from error
    return replace(entry, audited=each, plan=plan)


def _query_ids() -> dict[str, str]:
    """The query ids by statement; empty without a database or without pg_stat_statements."""
    config = cast("Config", current_app.extensions["settings"])
    if config.migration_database_url is None:
        return {}
    url = config.migration_database_url
    with session.connect(url, "ownrow command", connect_timeout=2) as connection:
        exists = connection.execute("SELECT to_regclass('pg_stat_statements')").fetchone()
        if exists is None or exists[0] is None:
            return {}
        return dict(connection.execute(QUERY_IDS).fetchall())

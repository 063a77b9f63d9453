"""The audit's findings, and the report as text, JSON or a self-contained HTML page."""

import html
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from app.audit.plans import Plan
from app.audit.statements import Audited

WIDTHS = {
    "file": 34, "kind": 6, "entry points": 34, "tables": 24, "owner": 48, "plan": 30, "id": 20,
}  # fmt: skip
STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #1a1a1a; background: #fff }
table { border-collapse: collapse } td, th { border: 1px solid #bbb; padding: .3rem .5rem }
td, th { text-align: left; vertical-align: top } th { background: #eee; position: sticky; top: 0 }
.finding { color: #a40000; font-weight: 600 } code { font-size: 13px }
"""


@dataclass(frozen=True)
class Entry:
    """The results of the audit for one file."""

    audited: Audited
    entry_points: Sequence[str]
    plan: Plan | None
    query_id: str

    @property
    def findings(self) -> list[str]:
        """The findings about the file; empty where there are none."""
        scanned = self.plan.sequential if self.plan else ()
        return [
            *self.audited.findings,
            *([] if self.entry_points else ["is run by nothing"]),
            *(f"scans {table} sequentially" for table in scanned),
        ]

    @property
    def writes(self) -> bool:
        """What the header declares; the tables decide where it is malformed."""
        statement = self.audited.statement
        return statement.header.writes if statement else bool(self.audited.writes)

    def cells(self) -> dict[str, str]:
        """The text of each column of WIDTHS, its items separated by semicolons."""
        audited = self.audited
        written = [f"{table} (written)" for table in audited.writes]
        bound = [each.path for each in audited.bindings]
        exempt = [f"exempt: {audited.exemption}"] if audited.exemption else []
        return {
            "file": f"sql/{audited.name}.sql",
            "kind": "writes" if self.writes else "reads",
            "entry points": "; ".join(self.entry_points),
            "tables": "; ".join([*audited.reads, *written]),
            "owner": "; ".join(dict.fromkeys([*bound, *exempt])),
            "plan": self.plan.shape if self.plan else "",
            "id": self.query_id,
        }


def findings(entries: Sequence[Entry]) -> list[str]:
    """All findings, each after its file."""
    return [
        f"sql/{entry.audited.name}.sql {finding}" for entry in entries for finding in entry.findings
    ]


def as_text(entries: Sequence[Entry]) -> str:
    """A table for a terminal, its cells wrapped, and the findings below it."""
    lines = [*_row({column: column.upper() for column in WIDTHS}), ""]
    for entry in entries:
        lines += _row(entry.cells())
    lines += ["", *(findings(entries) or [f"{len(entries)} statements, no finding"])]
    return "\n".join(lines)


def _row(cells: Mapping[str, str]) -> list[str]:
    wrapped = [
        textwrap.wrap(cells[column], width, break_on_hyphens=False)
        for column, width in WIDTHS.items()
    ]
    height = max(1, *(len(cell) for cell in wrapped))
    padded = [[*cell, *[""] * (height - len(cell))] for cell in wrapped]
    return [
        "  ".join(
            text.ljust(width) for text, width in zip(line, WIDTHS.values(), strict=True)
        ).rstrip()
        for line in zip(*padded, strict=True)
    ]


def as_json(entries: Sequence[Entry]) -> str:
    """An array with an object per file."""
    report = [
        {
            "file": f"sql/{entry.audited.name}.sql",
            "purpose": entry.audited.purpose,
            "writes": entry.writes,
            "parameters": _declared(entry, "parameters"),
            "columns": _declared(entry, "columns"),
            "entry_points": list(entry.entry_points),
            "tables_read": entry.audited.reads,
            "tables_written": entry.audited.writes,
            "bindings": [
                {"table": each.table, "path": each.path} for each in entry.audited.bindings
            ],
            "exemption": entry.audited.exemption or None,
            "plan": entry.plan and vars(entry.plan),
            "query_id": entry.query_id or None,
            "findings": entry.findings,
        }
        for entry in entries
    ]
    return orjson.dumps(report, option=orjson.OPT_INDENT_2).decode()


def _declared(entry: Entry, kind: str) -> list[dict[str, Any]]:
    statement = entry.audited.statement
    return [each._asdict() for each in getattr(statement.header, kind)] if statement else []


def as_html(entries: Sequence[Entry]) -> str:
    """A page without scripts and without references to other files."""
    found = findings(entries)
    verdict = "".join(f'<li class="finding">{html.escape(each)}</li>' for each in found)
    head = "".join(f"<th>{column}</th>" for column in WIDTHS)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_cell(text)}</td>" for text in entry.cells().values()) + "</tr>"
        for entry in entries
    )
    time = datetime.now(UTC).isoformat(timespec="seconds")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Ownrow audit</title>'
        f"<style>{STYLE}</style><h1>Ownrow audit</h1>"
        f"<p>{time}: {len(entries)} statements, {len(found)} findings.</p><ul>{verdict}</ul>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></html>\n"
    )


def _cell(text: str) -> str:
    return "<br>".join(f"<code>{html.escape(part)}</code>" for part in text.split("; ") if part)

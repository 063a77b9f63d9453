"""The report as JSON."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from app.audit.report.results import Entry, Report


def as_json(report: Report) -> str:
    """An object; the plans in it are null where they were left out."""
    document = {
        "summary": _summary(report),
        "rights": _objects(report.access.rights),
        "triggers": _objects(report.access.triggers),
        "security_definer_functions": _objects(report.access.definers),
        "statements": [_statement(entry) for entry in report.entries],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def _summary(report: Report) -> dict[str, Any]:
    return {
        "made_at": report.made_at,
        "statements": len(report.entries),
        "reads": report.kinds["reads"],
        "writes": report.kinds["writes"],
        "owned_tables": report.owned_tables,
        "proofs": report.proofs,
        "exemptions": [
            {"file": entry.file, "reason": entry.audited.exemption} for entry in report.exempt
        ],
        "left_out": report.left_out or None,
        "findings": report.findings,
    }


def _statement(entry: Entry) -> dict[str, Any]:
    audited = entry.audited
    return {
        "file": entry.file,
        "purpose": audited.purpose,
        "writes": entry.writes,
        "parameters": _objects(entry.parameters),
        "columns": _objects(entry.columns),
        "entry_points": list(entry.entry_points),
        "tables_read": entry.tables_read,
        "tables_written": entry.tables_written,
        "proof": entry.proof,
        "bindings": [{"table": each.table, "path": each.path} for each in audited.proof.bindings],
        "predicates": [
            {"text": each.text, "start": each.start, "end": each.end}
            for each in audited.proof.predicates
        ],
        "exemption": audited.exemption or None,
        "text": audited.text,
        "plan": entry.plan and vars(entry.plan),
        "query_id": entry.query_id or None,
        "findings": entry.findings,
    }


def _objects(rows: Iterable[NamedTuple]) -> list[dict[str, Any]]:
    return [row._asdict() for row in rows]

"""The report as text for a terminal: a summary, tables, and the findings at the end."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, zip_longest
from typing import TypeAlias

from app.audit.access import Access, Definer, Trigger
from app.audit.report.results import Entry, Report

Cells: TypeAlias = Sequence[Sequence[str]]  # of one row, each with its items

# Columns, each with the width at which its items are wrapped. A longer word makes it wider: words,
# such as %(owner_id)s, are never cut.
STATEMENTS = {
    "file": 34, "kind": 6, "entry points": 36, "tables": 26, "owner": 48, "plan": 34, "id": 20,
}  # fmt: skip
EXEMPTIONS = {"exempt": 34, "reason": 80}
RIGHTS = {"table": 24, "roles": 34, "rights": 100}
TRIGGERS = {"trigger": 34, "event": 60, "state": 25, "function": 34, "runs as": 20}
DEFINERS = {"security definer": 44, "runs as": 20, "called by": 60}


def as_text(report: Report) -> str:
    """Sections separated by empty lines; the last one has the findings."""
    rows = (_statement(entry) for entry in report.entries)
    sections = [
        _summary(report),
        *([report.left_out] if report.left_out else []),
        *_exemptions(report),
        *_access(report.access),
        _table(STATEMENTS, rows),
        "\n".join(report.findings) or f"{len(report.entries)} statements, no finding",
    ]
    return "\n\n".join(sections)


def _summary(report: Report) -> str:
    kinds, tables = report.kinds, ", ".join(report.owned_tables)
    lines = [
        f"{len(report.entries)} statements: {kinds['reads']} read, {kinds['writes']} write",
        *(f"  {number:>3} {proof}" for proof, number in report.proofs.items()),
        *textwrap.wrap(f"{len(report.owned_tables)} owned tables: {tables}", 100),
    ]
    return "\n".join(lines)


def _exemptions(report: Report) -> Iterator[str]:
    if report.exempt:
        # Without sql/, so that only a statement's own row begins with its file.
        rows = [([entry.audited.name], [entry.audited.exemption]) for entry in report.exempt]
        yield _table(EXEMPTIONS, rows)


def _access(access: Access) -> Iterator[str]:
    yield _table(RIGHTS, (row for table in access.tables for row in _rights(access, table)))
    yield _table(TRIGGERS, map(_trigger, access.triggers))
    yield _table(DEFINERS, map(_definer, access.definers))


def _rights(access: Access, table: str) -> Iterator[Cells]:
    """A row for each group of roles with the same rights on the table."""
    texts = {role: ", ".join(map(str, access.of(role, table))) for role in access.roles}
    by_rights = sorted(texts.items(), key=lambda item: item[1])
    for rights, roles in groupby(by_rights, key=lambda item: item[1]):
        if rights:
            yield [table], [", ".join(role for role, _ in roles)], [rights]


def _trigger(trigger: Trigger) -> Cells:
    state = trigger.state if trigger.is_enabled else trigger.state.upper()
    runs_as = trigger.function_owner if trigger.is_security_definer else "the caller"
    return [trigger.name], [trigger.event], [state], [trigger.function], [runs_as]


def _definer(definer: Definer) -> Cells:
    return [definer.function], [definer.owner], [", ".join(definer.callers) or "nobody"]


def _statement(entry: Entry) -> Cells:
    audited = entry.audited
    written = [f"{table} (written)" for table in entry.tables_written]
    exempt = [f"exempt: {audited.exemption}"] if audited.exemption else []
    return (
        [entry.file],
        [entry.kind],
        entry.entry_points,
        [*entry.tables_read, *written],
        [*entry.paths, *exempt],
        [entry.plan.shape] if entry.plan else [],
        [entry.query_id],
    )


def _table(widths: Mapping[str, int], rows: Iterable[Cells]) -> str:
    """The rows below their head, each column as wide as its longest line."""
    head: Cells = [[column.upper()] for column in widths]
    wrapped = [
        [_wrapped(cell, width) for cell, width in zip(row, widths.values(), strict=True)]
        for row in [head, *rows]
    ]
    columns = zip(*wrapped, strict=True)
    longest = [max(len(line) for cell in column for line in cell) for column in columns]
    return "\n".join(line for row in wrapped for line in _lines(row, longest))


def _wrapped(items: Sequence[str], width: int) -> list[str]:
    """Each item on lines of its own, those after the first one indented."""
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return [line for item in items for line in wrapper.wrap(item)]


def _lines(row: Cells, widths: Sequence[int]) -> Iterator[str]:
    for line in zip_longest(*row, fillvalue=""):
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()

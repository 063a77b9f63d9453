"""The kinds of items that an owner has; feed, batch, export, purge and erasure walk this table."""

from collections.abc import Mapping

from app import db
from app.filters.kind import FILTER
from app.labels.kind import LABEL
from app.ledger.kinds import Kind
from app.ledger.repository import Document
from app.lists.kind import LIST
from app.reminders.kind import REMINDER
from app.tasks.kind import TASK
from app.tasks.repository import EXPORT_COMPLETIONS

# Tasks come first: a purge removes them before their lists.
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (TASK, LIST, LABEL, FILTER, REMINDER)}

# What the JSON export has, by the names of its arrays.
EXPORTS: Mapping[str, db.Statement[Document]] = {
    **{kind.plural: kind.export for kind in KINDS.values() if kind.export is not None},
    "completions": EXPORT_COMPLETIONS,
}

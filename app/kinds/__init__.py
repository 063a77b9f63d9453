"""The kinds of items that an owner has; feed, batch, export, purge and erasure walk this table."""

from collections.abc import Mapping

from app.filters.kind import FILTER
from app.labels.kind import LABEL
from app.ledger.kinds import Kind
from app.lists.kind import LIST
from app.tasks.kind import TASK

# Tasks come first: a purge removes them before their lists.
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (TASK, LIST, LABEL, FILTER)}

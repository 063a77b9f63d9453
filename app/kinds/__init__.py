"""The kinds of items that an owner has; feed, batch, export, purge and erasure walk this table."""

from collections.abc import Mapping

from app.ledger.kinds import Kind
from app.tasks.kind import TASK

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (TASK,)}

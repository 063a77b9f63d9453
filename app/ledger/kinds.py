"""What the endpoints and commands over all items need to know about one kind of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app import db
from app.http.fields import StrictSchema
from app.ledger.repository import Change, Document
from app.values import Uuid


@dataclass(frozen=True)
class Operation:
    """A change, and the schema of its fields in a batch."""

    schema: StrictSchema
    change: Change


def keep_still(_owner_id: Uuid) -> None:
    """Of a kind without times: nothing of it depends on its owner's clock."""


@dataclass(frozen=True)
class Kind:
    """A kind of item: `name` as the ledger has it, `plural` as paths and exports have it.

    A kind without `operations` can't be changed by a batch, and one without `export` is in none.
    `empty_trash` removes what was deleted up to the ledger's pruned version, or what is pruned with
    the ledger. `follow_clock` recomputes what depends on the owner's time zone and reminder time,
    after a change of these.
    """

    name: str
    plural: str
    operations: Mapping[str, Operation]
    export: db.Statement[Document] | None
    empty_trash: db.Statement[db.NoRow]
    follow_clock: Callable[[Uuid], None] = keep_still

"""What the endpoints and commands over all items need to know about one kind of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from app import db
from app.http.fields import StrictSchema
from app.ledger.repository import Change, Document


@dataclass(frozen=True)
class Operation:
    """A change, and the schema of its fields in a batch."""

    schema: StrictSchema
    change: Change


@dataclass(frozen=True)
class Kind:
    """A kind of item: `name` as the ledger has it, `plural` as paths and exports have it."""

    name: str
    plural: str
    operations: Mapping[str, Operation]
    export: db.Statement[Document]
    empty_trash: db.Statement[db.NoRow]

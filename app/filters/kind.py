"""Saved filters as one of the kinds of items."""

from app.filters import repository, schemas
from app.ledger.kinds import Kind, Operation
from app.ledger.schemas import MOVE_TARGET, TARGET

FILTER = Kind(
    name=repository.KIND,
    plural="filters",
    operations={
        "create": Operation(schemas.NEW_FILTER, repository.CREATE),
        "update": Operation(schemas.UPDATE, repository.UPDATE),
        "move": Operation(MOVE_TARGET, repository.MOVE),
        "delete": Operation(TARGET, repository.DELETE),
        "restore": Operation(TARGET, repository.RESTORE),
    },
    export=repository.EXPORT,
    empty_trash=repository.EMPTY_TRASH,
)

"""Labels as one of the kinds of items."""

from app.labels import repository, schemas
from app.ledger.kinds import Kind, Operation
from app.ledger.schemas import MOVE_TARGET, TARGET

LABEL = Kind(
    name=repository.KIND,
    plural="labels",
    operations={
        "create": Operation(schemas.NEW_LABEL, repository.CREATE),
        "update": Operation(schemas.UPDATE, repository.UPDATE),
        "move": Operation(MOVE_TARGET, repository.MOVE),
        "delete": Operation(TARGET, repository.DELETE),
        "restore": Operation(TARGET, repository.RESTORE),
    },
    export=repository.EXPORT,
    empty_trash=repository.EMPTY_TRASH,
)

"""Lists as one of the kinds of items."""

from app.ledger.kinds import Kind, Operation
from app.ledger.schemas import MOVE_TARGET, TARGET
from app.lists import repository, schemas

LIST = Kind(
    name=repository.KIND,
    plural="lists",
    operations={
        "create": Operation(schemas.NEW_LIST, repository.CREATE),
        "update": Operation(schemas.UPDATE, repository.UPDATE),
        "move": Operation(MOVE_TARGET, repository.MOVE),
        "archive": Operation(TARGET, repository.ARCHIVE),
        "unarchive": Operation(TARGET, repository.UNARCHIVE),
        "delete": Operation(TARGET, repository.DELETE),
        "restore": Operation(TARGET, repository.RESTORE),
    },
    export=repository.EXPORT,
    empty_trash=repository.EMPTY_TRASH,
)

"""Tasks as one of the kinds of items."""

from app.ledger.kinds import Kind, Operation
from app.ledger.schemas import TARGET
from app.tasks import repository, schemas

TASK = Kind(
    name=repository.KIND,
    plural="tasks",
    operations={
        "create": Operation(schemas.NEW_TASK, repository.CREATE),
        "update": Operation(schemas.UPDATE, repository.UPDATE),
        "complete": Operation(schemas.COMPLETE, repository.COMPLETE),
        "skip": Operation(schemas.SKIP_TARGET, repository.SKIP),
        "move": Operation(schemas.MOVE_TARGET, repository.MOVE),
        "delete": Operation(TARGET, repository.DELETE),
        "restore": Operation(TARGET, repository.RESTORE),
    },
    export=repository.EXPORT,
    empty_trash=repository.EMPTY_TRASH,
    follow_clock=repository.follow_clock,
)

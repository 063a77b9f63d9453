"""/api/{user_id}/tasks: reads the request, calls the repository once, answers."""

from app.auth.access import authenticate, take_path_user
from app.http.dispatch import DirectBlueprint
from app.http.etags import known_tags
from app.http.query import read_query
from app.http.request import owner_id
from app.http.responses import JsonResponse, page
from app.ledger.responses import (
    answer_body,
    answer_history,
    answer_item,
    answer_new,
    answer_target,
    answer_trash,
)
from app.ledger.schemas import PAGE_QUERY
from app.search.repository import search
from app.search.schemas import LIST_QUERY
from app.search.wanted import wanted
from app.tasks import repository
from app.tasks.schemas import COMPLETION, NEW_TASK, SKIP, TASK_CHANGES, TASK_MOVE
from app.values import canonical_uuid

blueprint = DirectBlueprint("tasks", __name__, url_prefix="/api/<user_id>/tasks")
blueprint.url_value_preprocessor(take_path_user)
blueprint.before_request(authenticate)


@blueprint.get("")
def list_tasks() -> JsonResponse:
    """A page of tasks."""
    query = read_query(LIST_QUERY)
    found = search(
        owner_id(),
        wanted(owner_id(), query),
        sort=query["sort"],
        position=query["cursor"],
        limit=query["limit"],
        known_tags=known_tags(),
    )
    return page(found, query["limit"])


@blueprint.post("")
def create_task() -> JsonResponse:
    """Adds a task."""
    return answer_new(repository.CREATE, NEW_TASK)


@blueprint.get("/<item:task_id>")
def get_task(task_id: str) -> JsonResponse:
    """One task."""
    return answer_item(repository.get, task_id)


@blueprint.route("/<item:task_id>", methods=["PUT", "PATCH"])
def update_task(task_id: str) -> JsonResponse:
    """Changes the fields that the body names."""
    return answer_body(repository.UPDATE, TASK_CHANGES, task_id)


@blueprint.patch("/<item:task_id>/complete")
def complete_task(task_id: str) -> JsonResponse:
    """Completes a task or reopens it; toggles without a body."""
    return answer_body(repository.COMPLETE, COMPLETION, task_id, optional=True)


@blueprint.post("/<item:task_id>/skip")
def skip_task(task_id: str) -> JsonResponse:
    """Moves a recurring task to its next date without completing it."""
    return answer_body(repository.SKIP, SKIP, task_id)


@blueprint.get("/<item:task_id>/completions")
def list_completions(task_id: str) -> JsonResponse:
    """A page of what was done when of a recurring task."""
    query = read_query(PAGE_QUERY)
    found = repository.completions(
        owner_id(),
        canonical_uuid(task_id),
        position=query["cursor"],
        limit=query["limit"],
        known_tags=known_tags(),
    )
    return page(found, query["limit"])


@blueprint.post("/<item:task_id>/move")
def move_task(task_id: str) -> JsonResponse:
    """Gives a task another place in the order, in a list and below a parent."""
    return answer_body(repository.MOVE, TASK_MOVE, task_id)


@blueprint.delete("/<item:task_id>")
def delete_task(task_id: str) -> JsonResponse:
    """Moves a task to the trash."""
    return answer_target(repository.DELETE, task_id)


@blueprint.post("/<item:task_id>/restore")
def restore_task(task_id: str) -> JsonResponse:
    """Takes a task out of the trash."""
    return answer_target(repository.RESTORE, task_id)


@blueprint.get("/trash")
def list_trash() -> JsonResponse:
    """A page of the trash."""
    return answer_trash(repository.KIND)


@blueprint.get("/<item:task_id>/history")
def list_history(task_id: str) -> JsonResponse:
    """A page of a task's ledger entries."""
    return answer_history(repository.KIND, task_id)

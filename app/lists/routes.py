"""/api/{user_id}/lists: reads the request, calls the repository once, answers."""

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
from app.ledger.schemas import MOVE
from app.lists import repository
from app.lists.schemas import LIST_CHANGES, LIST_QUERY, NEW_LIST

blueprint = DirectBlueprint("lists", __name__, url_prefix="/api/<user_id>/lists")
blueprint.url_value_preprocessor(take_path_user)
blueprint.before_request(authenticate)


@blueprint.get("")
def list_lists() -> JsonResponse:
    """A page of lists in their order."""
    query = read_query(LIST_QUERY)
    found = repository.search(
        owner_id(),
        position=query["cursor"],
        limit=query["limit"],
        is_archived=query["archived"],
        known_tags=known_tags(),
    )
    return page(found, query["limit"])


@blueprint.post("")
def create_list() -> JsonResponse:
    """Adds a list."""
    return answer_new(repository.CREATE, NEW_LIST)


@blueprint.get("/<item:list_id>")
def get_list(list_id: str) -> JsonResponse:
    """One list."""
    return answer_item(repository.get, list_id)


@blueprint.route("/<item:list_id>", methods=["PUT", "PATCH"])
def update_list(list_id: str) -> JsonResponse:
    """Changes the fields that the body names."""
    return answer_body(repository.UPDATE, LIST_CHANGES, list_id)


@blueprint.post("/<item:list_id>/move")
def move_list(list_id: str) -> JsonResponse:
    """Gives the list another place in the order."""
    return answer_body(repository.MOVE, MOVE, list_id)


@blueprint.post("/<item:list_id>/archive")
def archive_list(list_id: str) -> JsonResponse:
    """Hides a list with its tasks."""
    return answer_target(repository.ARCHIVE, list_id)


@blueprint.post("/<item:list_id>/unarchive")
def unarchive_list(list_id: str) -> JsonResponse:
    """Shows an archived list again."""
    return answer_target(repository.UNARCHIVE, list_id)


@blueprint.delete("/<item:list_id>")
def delete_list(list_id: str) -> JsonResponse:
    """Moves a list to the trash."""
    return answer_target(repository.DELETE, list_id)


@blueprint.post("/<item:list_id>/restore")
def restore_list(list_id: str) -> JsonResponse:
    """Takes a list out of the trash."""
    return answer_target(repository.RESTORE, list_id)


@blueprint.get("/trash")
def list_trash() -> JsonResponse:
    """A page of the trash."""
    return answer_trash(repository.KIND)


@blueprint.get("/<item:list_id>/history")
def list_history(list_id: str) -> JsonResponse:
    """A page of a list's ledger entries."""
    return answer_history(repository.KIND, list_id)

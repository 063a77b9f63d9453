"""/api/{user_id}/filters: reads the request, calls the repository once, answers."""

from app.auth.access import authenticate, take_path_user
from app.filters import repository
from app.filters.schemas import FILTER_CHANGES, NEW_FILTER
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
from app.ledger.schemas import MOVE, PAGE_QUERY

blueprint = DirectBlueprint("filters", __name__, url_prefix="/api/<user_id>/filters")
blueprint.url_value_preprocessor(take_path_user)
blueprint.before_request(authenticate)


@blueprint.get("")
def list_filters() -> JsonResponse:
    """A page of filters in their order."""
    query = read_query(PAGE_QUERY)
    found = repository.search(
        owner_id(),
        position=query["cursor"],
        limit=query["limit"],
        known_tags=known_tags(),
    )
    return page(found, query["limit"])


@blueprint.post("")
def create_filter() -> JsonResponse:
    """Adds a filter."""
    return answer_new(repository.CREATE, NEW_FILTER)


@blueprint.get("/<item:filter_id>")
def get_filter(filter_id: str) -> JsonResponse:
    """One filter."""
    return answer_item(repository.get, filter_id)


@blueprint.route("/<item:filter_id>", methods=["PUT", "PATCH"])
def update_filter(filter_id: str) -> JsonResponse:
    """Changes the fields that the body names."""
    return answer_body(repository.UPDATE, FILTER_CHANGES, filter_id)


@blueprint.post("/<item:filter_id>/move")
def move_filter(filter_id: str) -> JsonResponse:
    """Gives the filter another place in the order."""
    return answer_body(repository.MOVE, MOVE, filter_id)


@blueprint.delete("/<item:filter_id>")
def delete_filter(filter_id: str) -> JsonResponse:
    """Moves a filter to the trash."""
    return answer_target(repository.DELETE, filter_id)


@blueprint.post("/<item:filter_id>/restore")
def restore_filter(filter_id: str) -> JsonResponse:
    """Takes a filter out of the trash."""
    return answer_target(repository.RESTORE, filter_id)


@blueprint.get("/trash")
def list_trash() -> JsonResponse:
    """A page of the trash."""
    return answer_trash(repository.KIND)


@blueprint.get("/<item:filter_id>/history")
def list_history(filter_id: str) -> JsonResponse:
    """A page of a filter's ledger entries."""
    return answer_history(repository.KIND, filter_id)

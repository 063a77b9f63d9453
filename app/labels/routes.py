"""/api/{user_id}/labels: reads the request, calls the repository once, answers."""

from app.auth.access import authenticate, take_path_user
from app.http.dispatch import DirectBlueprint
from app.http.etags import known_tags
from app.http.query import read_query
from app.http.request import owner_id
from app.http.responses import JsonResponse, page
from app.labels import repository
from app.labels.schemas import LABEL_CHANGES, NEW_LABEL
from app.ledger.responses import (
    answer_body,
    answer_history,
    answer_item,
    answer_new,
    answer_target,
    answer_trash,
)
from app.ledger.schemas import MOVE, PAGE_QUERY

blueprint = DirectBlueprint("labels", __name__, url_prefix="/api/<user_id>/labels")
blueprint.url_value_preprocessor(take_path_user)
blueprint.before_request(authenticate)


@blueprint.get("")
def list_labels() -> JsonResponse:
    """A page of labels in their order."""
    query = read_query(PAGE_QUERY)
    found = repository.search(
        owner_id(),
        position=query["cursor"],
        limit=query["limit"],
        known_tags=known_tags(),
    )
    return page(found, query["limit"])


@blueprint.post("")
def create_label() -> JsonResponse:
    """Adds a label."""
    return answer_new(repository.CREATE, NEW_LABEL)


@blueprint.get("/<item:label_id>")
def get_label(label_id: str) -> JsonResponse:
    """One label."""
    return answer_item(repository.get, label_id)


@blueprint.route("/<item:label_id>", methods=["PUT", "PATCH"])
def update_label(label_id: str) -> JsonResponse:
    """Changes the fields that the body names."""
    return answer_body(repository.UPDATE, LABEL_CHANGES, label_id)


@blueprint.post("/<item:label_id>/move")
def move_label(label_id: str) -> JsonResponse:
    """Gives the label another place in the order."""
    return answer_body(repository.MOVE, MOVE, label_id)


@blueprint.delete("/<item:label_id>")
def delete_label(label_id: str) -> JsonResponse:
    """Moves a label to the trash."""
    return answer_target(repository.DELETE, label_id)


@blueprint.post("/<item:label_id>/restore")
def restore_label(label_id: str) -> JsonResponse:
    """Takes a label out of the trash."""
    return answer_target(repository.RESTORE, label_id)


@blueprint.get("/trash")
def list_trash() -> JsonResponse:
    """A page of the trash."""
    return answer_trash(repository.KIND)


@blueprint.get("/<item:label_id>/history")
def list_history(label_id: str) -> JsonResponse:
    """A page of a label's ledger entries."""
    return answer_history(repository.KIND, label_id)

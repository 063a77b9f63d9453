"""/api/{user_id}/labels: reads the request, calls the repository once, answers."""

from app.auth.access import authenticate, take_path_user
from app.http.body import read_body
from app.http.dispatch import DirectBlueprint
from app.http.etags import known_tags
from app.http.query import read_query
from app.http.request import owner_id
from app.http.responses import JsonResponse, page, success
from app.labels import repository
from app.labels.schemas import LABEL_CHANGES, NEW_LABEL
from app.ledger.responses import (
    CREATED,
    answer_change,
    answer_history,
    answer_target,
    answer_trash,
)
from app.ledger.schemas import MOVE, PAGE_QUERY
from app.values import canonical_uuid

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
    return answer_change(repository.CREATE, read_body(NEW_LABEL), CREATED)


@blueprint.get("/<item:label_id>")
def get_label(label_id: str) -> JsonResponse:
    """One label."""
    read_query()
    found = repository.get(owner_id(), canonical_uuid(label_id))
    return success(found.json, tag=str(found.version))


@blueprint.route("/<item:label_id>", methods=["PUT", "PATCH"])
def update_label(label_id: str) -> JsonResponse:
    """Changes the fields that the body names."""
    changes = read_body(LABEL_CHANGES)
    return answer_change(repository.UPDATE, {**changes, "id": canonical_uuid(label_id)})


@blueprint.post("/<item:label_id>/move")
def move_label(label_id: str) -> JsonResponse:
    """Gives the label another place in the order."""
    place = read_body(MOVE)
    return answer_change(repository.MOVE, {**place, "id": canonical_uuid(label_id)})


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

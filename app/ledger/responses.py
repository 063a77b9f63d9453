"""Responses of the routes that every kind of item has."""

from collections.abc import Callable, Mapping
from typing import Any

from app.http.body import read_body, read_nothing
from app.http.etags import if_versions, known_tags
from app.http.fields import StrictSchema
from app.http.query import read_query
from app.http.request import current_request, origin, owner_id
from app.http.responses import JsonResponse, page, success
from app.idempotency.repository import WriteResponse
from app.idempotency.responses import answer_once
from app.ledger import repository
from app.ledger.repository import Change, Item, Terms
from app.ledger.schemas import PAGE_QUERY
from app.values import Uuid, canonical_uuid

CREATED = 201


def answer_change(change: Change, fields: Mapping[str, Any], status: int = 200) -> JsonResponse:
    """Changes an item, once per Idempotency-Key; an item that was created has a Location."""
    prepared, versions, by = change.prepare(fields), if_versions(), origin()
    owner, path = owner_id(), current_request().path

    def write() -> WriteResponse:
        item = repository.change(prepared, Terms(owner, versions, by))
        location = f"{path}/{item.id}" if status == CREATED else None
        return WriteResponse(status, item.json, str(item.version), location)

    return answer_once(write)


def answer_new(change: Change, schema: StrictSchema) -> JsonResponse:
    """Adds an item as a body says."""
    return answer_change(change, read_body(schema), CREATED)


def answer_item(read: Callable[[Uuid, Uuid | None], Item], item_id: str) -> JsonResponse:
    """One item, with its version as entity tag."""
    read_query()
    item = read(owner_id(), canonical_uuid(item_id))
    return success(item.json, tag=str(item.version))


def answer_body(
    change: Change, schema: StrictSchema, item_id: str, *, optional: bool = False
) -> JsonResponse:
    """Changes an item as a body says, which may be left out where it is `optional`."""
    body = read_body(schema, optional=optional)
    return answer_change(change, {**body, "id": canonical_uuid(item_id)})


def answer_target(change: Change, item_id: str) -> JsonResponse:
    """Changes an item by a request without a body, such as a deletion."""
    read_nothing()
    return answer_change(change, {"id": canonical_uuid(item_id)})


def answer_trash(kind: str) -> JsonResponse:
    """A page of the trash of one kind."""
    query = read_query(PAGE_QUERY)
    limit = query["limit"]
    found = repository.trash(
        owner_id(), kind, position=query["cursor"], limit=limit, known_tags=known_tags()
    )
    return page(found, limit)


def answer_history(kind: str, item_id: str) -> JsonResponse:
    """A page of an item's ledger entries."""
    query = read_query(PAGE_QUERY)
    limit = query["limit"]
    found = repository.history(
        owner_id(),
        kind,
        canonical_uuid(item_id),
        position=query["cursor"],
        limit=limit,
        known_tags=known_tags(),
    )
    return page(found, limit)

"""Answering a write, once per Idempotency-Key."""

import hashlib
from collections.abc import Callable

from app.errors import ValidationFailed
from app.http.body import raw_body, read_nothing
from app.http.request import current_request, owner_id
from app.http.responses import JsonResponse, success
from app.idempotency.repository import Key, WriteResponse, once
from app.idempotency.schemas import BROKEN, KEY


def answer_once(
    write: Callable[[], WriteResponse], show: Callable[[bytes], bytes] | None = None
) -> JsonResponse:
    """Runs the write, or replays the response that its Idempotency-Key has already had.

    `show` makes the data that the client gets of the data that is stored, where these differ.
    """
    answer = once(owner_id(), _key(), write)
    data = answer.data if show is None else show(answer.data)
    response = success(data, status=answer.status, tag=answer.tag)
    if answer.location is not None:
        response.headers.append(("Location", answer.location))
    if answer.is_replayed:
        response.headers.append(("Idempotent-Replayed", "true"))
    return response


def delete_once(delete: Callable[[], None]) -> JsonResponse:
    """Runs a deletion, which tells nothing, for a request without a body."""
    read_nothing()

    def write() -> WriteResponse:
        delete()
        return WriteResponse(200, b"null")

    return answer_once(write)


def _key() -> Key | None:
    request = current_request()
    text = request.header("IDEMPOTENCY_KEY")
    if text is None:
        return None
    if not KEY.fullmatch(text):
        raise ValidationFailed(details=[{"field": "Idempotency-Key", "message": BROKEN}])
    parts = (request.method.encode(), request.path.encode(), request.query_string, raw_body())
    return key_of(text, *parts)


def key_of(text: str, *request: bytes) -> Key:
    """The key of a request, which these parts tell from every other request."""
    return Key(text, hashlib.sha256(b"\x00".join(request)).digest())

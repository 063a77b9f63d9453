"""Answering a write, once per Idempotency-Key."""

import hashlib
import re
from collections.abc import Callable

from app.errors import ValidationFailed
from app.http.body import raw_body
from app.http.request import current_request, owner_id
from app.http.responses import JsonResponse, success
from app.idempotency.repository import Key, WriteResponse, once

KEY = re.compile(r"[\x20-\x7e]{1,255}")


def answer_once(write: Callable[[], WriteResponse]) -> JsonResponse:
    """Runs the write, or replays the response that its Idempotency-Key has already had."""
    answer = once(owner_id(), _key(), write)
    response = success(answer.data, status=answer.status, tag=answer.tag)
    if answer.location is not None:
        response.headers.append(("Location", answer.location))
    if answer.is_replayed:
        response.headers.append(("Idempotent-Replayed", "true"))
    return response


def _key() -> Key | None:
    request = current_request()
    text = request.header("IDEMPOTENCY_KEY")
    if text is None:
        return None
    if not KEY.fullmatch(text):
        message = "Must be 1 to 255 printable ASCII characters."
        raise ValidationFailed(details=[{"field": "Idempotency-Key", "message": message}])
    parts = (request.method.encode(), request.path.encode(), request.query_string, raw_body())
    return Key(text, hashlib.sha256(b"\x00".join(parts)).digest())

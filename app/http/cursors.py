"""Cursors of keyset pagination: a position in a list, authenticated (MAC) and opaque to clients."""

import base64
import binascii
import hashlib
import hmac
from typing import Any, cast

import orjson

from app.errors import BadRequest
from app.http.request import current_request, owner_id

MAC_SIZE = 16  # bytes


def cursor(position: bytes, parameters: bytes) -> str:
    """The cursor for a position, given as a JSON array.

    It is valid for this route, this user and these `parameters` (Query.others) only.
    """
    sealed = _mac(_keys()[0], parameters, position) + position
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read_cursor(text: str, parameters: bytes) -> list[Any]:
    """The position in a cursor; 400 where it was made for another list, user or query."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadRequest("The cursor is not valid; start from the first page") from error
    mac, position = raw[:MAC_SIZE], raw[MAC_SIZE:]
    if not any(hmac.compare_digest(mac, _mac(key, parameters, position)) for key in _keys()):
        raise BadRequest("The cursor belongs to another list; start from the first page")
    return cast("list[Any]", orjson.loads(position))


def _mac(key: bytes, parameters: bytes, position: bytes) -> bytes:
    request = current_request()
    others = [value for name, value in request.view_args.items() if name != "user_id"]
    place = " ".join([str(request.endpoint), *others, owner_id(), ""]).encode()
    bound = place + parameters + position
    return hashlib.blake2b(bound, digest_size=MAC_SIZE, key=key, person=b"cursor").digest()


def _keys() -> list[bytes]:
    """Keys made from the signing secrets; the first one is in use."""
    return cast("list[bytes]", current_request().app.extensions["cursor_keys"])

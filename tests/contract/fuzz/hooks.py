"""Schemathesis hooks: authentication, and formats that the schemas do not describe."""

import os
import re
import time
from typing import Any
from uuid import uuid4

import httpx
import schemathesis
from hypothesis import strategies as st

CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PRINTABLE = re.compile(r"[ -~]{1,255}")
ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
STORABLE = re.compile("[^\\0\ud800-\udfff]{1,1000}")
FILTERS = ("overdue", "due < +7d or no due", "not completed and priority <= 4", 'title = "a"')
FEW_LABELS = 2
PASSWORD = "seven quiet rivers"
OWN_ADDRESS = "127.0.0.2"  # the login throttle blocks that of the search
TOKEN_USE = 300.0  # seconds; an access token is valid for longer
# These may end the session of the call: each call gets a new user.
FINAL = frozenset({"changePassword", "endSession", "eraseMe"})

schemathesis.openapi.format(
    "email", st.from_regex(r"[a-z][a-z0-9]{2,20}@[a-z]{3,12}\.example\.com", fullmatch=True)
)
schemathesis.openapi.format(
    "password", st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=13)
)


@schemathesis.auth(refresh_interval=None)
class Session:
    """The access token of a user that this run has registered."""

    def __init__(self) -> None:
        self.token, self.until = "", 0.0

    def get(self, case: Any, context: Any) -> str:
        url = context.operation.schema.get_base_url()
        operation = case.operation.definition.raw["operationId"]
        if operation == "getMetrics":
            return os.environ["METRICS_TOKEN"]
        if operation in FINAL:
            return log_in(url)
        if time.monotonic() > self.until:
            self.token, self.until = log_in(url), time.monotonic() + TOKEN_USE
        return self.token

    def set(self, case: Any, data: str, _context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


def log_in(url: str) -> str:
    """Registers a user and returns an access token."""
    credentials = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    transport = httpx.HTTPTransport(local_address=OWN_ADDRESS)
    with httpx.Client(base_url=url, transport=transport) as http:
        http.post("/api/auth/register", json=credentials).raise_for_status()
        session = http.post("/api/auth/login", json=credentials).raise_for_status().json()
    return str(session["data"]["access_token"])


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> Any:
    """Replaces three of four user ids by `me`, since any other user's id is only a 403."""
    user_id = (path_parameters or {}).get("user_id")
    if isinstance(user_id, str) and CANONICAL_UUID.fullmatch(user_id) and user_id[0] > "3":
        return {**(path_parameters or {}), "user_id": "me"}
    return path_parameters


@schemathesis.hook
def map_headers(_context: Any, headers: dict[str, Any] | None) -> Any:
    """Makes each valid key unique, since a key of another request is refused."""
    key = (headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and PRINTABLE.fullmatch(key):
        return {**(headers or {}), "Idempotency-Key": key[:200] + uuid4().hex}
    return headers


@schemathesis.hook
def map_query(_context: Any, query: dict[str, Any] | None) -> Any:
    """Replaces most values that could not be valid by chance."""
    found = {name: valid(name, value, "none") for name, value in (query or {}).items()}
    return found or query


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Replaces most values that could not be valid by chance, and 7.0 by 7.

    JSON Schema accepts 7.0 as an integer, the service does not.
    """
    if isinstance(body, dict):
        return {name: map_body(context, valid(name, value)) for name, value in body.items()}
    if isinstance(body, list):
        return [map_body(context, value) for value in body]
    return int(body) if isinstance(body, float) and body.is_integer() else body


def valid(name: str, value: Any, nothing: str | None = None) -> Any:
    """The value, or a valid one in place of one that fits the schema.

    `nothing` stands for no item.
    """
    if name == "label_ids" and isinstance(value, list) and all(map(is_id, value)):
        return value if len(value) > FEW_LABELS else []
    if not isinstance(value, str):
        return value
    if name == "time_zone" and ZONE.fullmatch(value):
        return "Europe/Madrid" if len(value) % 2 else "America/New_York"
    if name in ("filter", "query") and STORABLE.fullmatch(value) and len(value) % 4:
        return FILTERS[len(value) % len(FILTERS)]
    is_other = name in ("list_id", "parent_id", "after", "before") and is_id(value)
    return nothing if is_other and value[-1] > "3" else value


def is_id(value: Any) -> bool:
    """Whether it is an id, which of no item but by chance."""
    return isinstance(value, str) and CANONICAL_UUID.fullmatch(value) is not None

"""API tokens, made through the API."""

from dataclasses import dataclass, replace
from typing import Any

from tests.support.api_user import ApiUser, data

READ, WRITE, ACCOUNT = "tasks:read", "tasks:write", "account:read"
ALL = (READ, WRITE, "webhooks", ACCOUNT)


@dataclass(frozen=True)
class Token:
    """A new API token; `user` sends it in the place of an access token."""

    id: str
    text: str
    user: ApiUser


def make_token(
    owner: ApiUser, *scopes: str, name: str = "a script", expires_at: str | None = None
) -> Token:
    """A new token of the user, with all scopes where none is given."""
    body = {"name": name, "scopes": scopes or ALL, "expires_at": expires_at}
    made = data(owner.call("POST", "/api/auth/tokens", json=body))
    return Token(made["id"], made["token"], replace(owner, access_token=made["token"]))


def listed(owner: ApiUser) -> list[dict[str, Any]]:
    """The user's living tokens."""
    return list(data(owner.call("GET", "/api/auth/tokens")))

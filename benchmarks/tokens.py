"""Prints, as JSON, an access token and 100 task ids for each user of the seeded database."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import TypedDict
from unittest.mock import patch

import psycopg

from app.auth import access_tokens
from app.auth.access_tokens import AccessTokens
from app.config import Config
from app.values import Uuid

QUERY = """
    SELECT owner_id::text, array_agg(id::text ORDER BY version)
    FROM tasks WHERE version % 20 = 0 AND version <= 2000
    GROUP BY owner_id ORDER BY owner_id
"""
LIFETIME = 24 * 60 * 60  # seconds; a benchmark takes longer than an access token lives


class User(TypedDict):
    """A user, their access token, and the tasks of their requests."""

    user_id: str
    token: str
    tasks: list[str]


def users(environ: Mapping[str, str], database_url: str) -> list[User]:
    """Every user of the database, with a token that a service with `environ` accepts."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(QUERY).fetchall()
    tokens = issue(environ, [owner for owner, _ in rows])
    return [
        {"user_id": owner, "token": token, "tasks": ids}
        for (owner, ids), token in zip(rows, tokens, strict=True)
    ]


def issue(environ: Mapping[str, str], owners: Sequence[Uuid]) -> list[str]:
    """An access token for each of the owners, whose session has their id."""
    issuer = AccessTokens(Config.from_env(environ))
    with patch.object(access_tokens, "LIFETIME", LIFETIME):
        return [issuer.issue(owner, owner) for owner in owners]


if __name__ == "__main__":
    print(json.dumps(users(os.environ, os.environ["DATABASE_URL"])))

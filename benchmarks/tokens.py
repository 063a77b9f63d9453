"""Prints, as JSON, an access token and 100 task ids for each user of the seeded database."""

import json
import os

import psycopg

from app.auth import tokens
from app.auth.tokens import AccessTokens
from app.config import Config

QUERY = """
    SELECT owner_id, array_agg(id::text ORDER BY version)
    FROM tasks WHERE version % 20 = 0 AND version <= 2000
    GROUP BY owner_id ORDER BY owner_id
"""
LIFETIME = 24 * 60 * 60  # seconds; a benchmark outlives the tokens that people get

if __name__ == "__main__":
    config = Config.from_env(os.environ)
    tokens.LIFETIME = LIFETIME
    issuer = AccessTokens(config)
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        users = connection.execute(QUERY).fetchall()
    print(
        json.dumps(
            [
                {"user_id": str(owner), "token": issuer.issue(owner, owner), "tasks": ids}
                for owner, ids in users
            ]
        )
    )

"""What event streams are told: how far the ledgers of their owners are."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from app import db
from app.values import Uuid


class Session(NamedTuple):
    """A session, or an API token, that streams belong to."""

    owner_id: Uuid
    session_id: Uuid


class FoundVersion(NamedTuple):
    """The newest version of the ledger of a session's owner, and the newest that was pruned."""

    owner_id: Uuid
    session_id: Uuid
    version: int
    pruned_version: int


LIST_VERSIONS = db.load("events/list_versions", FoundVersion)


def list_versions(sessions: Collection[Session]) -> Mapping[Session, FoundVersion]:
    """The versions of those sessions that have neither ended nor expired."""
    params = {
        "owner_ids": [each.owner_id for each in sessions],
        "session_ids": [each.session_id for each in sessions],
    }
    found = db.fetch_all(LIST_VERSIONS, params)
    return {Session(each.owner_id, each.session_id): each for each in found}

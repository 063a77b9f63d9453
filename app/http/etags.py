"""Conditional requests (RFC 9110, section 13): If-Match and If-None-Match."""

import re

from app.http.request import current_request

ENTITY_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
VERSION = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.[1-9][0-9]{0,9})?")  # list_tag() adds a count


def if_versions() -> list[int] | None:
    """The versions in If-Match: None where any will do, [] where none can match."""
    header = current_request().header("IF_MATCH")
    if header is None or header.strip() == "*":
        return None
    found = (VERSION.fullmatch(tag) for weak, tag in _entity_tags(header) if not weak)
    return [int(match[1]) for match in found if match]


def known_tags() -> list[str]:
    """The opaque tags in If-None-Match, which are compared weakly."""
    header = current_request().header("IF_NONE_MATCH")
    return [tag for _, tag in _entity_tags(header)] if header else []


def is_not_modified(tag: str) -> bool:
    """Whether the client has the representation with that tag: a GET or HEAD is then a 304."""
    request = current_request()
    header = request.header("IF_NONE_MATCH")
    if header is None or request.method not in ("GET", "HEAD"):
        return False
    return header.strip() == "*" or tag in known_tags()


def _entity_tags(header: str) -> list[tuple[str, str]]:
    """(weak prefix, opaque tag) pairs; [] where the header is not a list of entity tags."""
    tags, position = [], 0
    while position < len(header):
        match = ENTITY_TAG.match(header, position)
        if match is None:
            return []
        tags.append((match[1] or "", match[2]))
        position = match.end()
    return tags

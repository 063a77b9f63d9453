"""The statements that may touch an owned table without its owner: all of them, with the reason.

An exemption covers the named tables or functions and nothing else in its statement; one that is
no longer needed is a finding itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Exemption:
    """What a statement may touch, and why."""

    subjects: tuple[str, ...]
    reason: str


EXEMPTIONS: Mapping[str, Exemption] = {
    "auth/erase_events": Exemption(
        ("erase_auth_events",), "removes what no role of the service reads, of an erased account"
    ),
    "auth/find_credential": Exemption(
        ("find_credential",), "a log-in knows its account by the e-mail only"
    ),
    "auth/get_credential": Exemption(
        ("password_hash_of",), "reads the hash of the owner that it is given, which no role may"
    ),
    "auth/note_refusal": Exemption(("auth_events",), "a refused log-in is nobody's yet"),
    "auth/list_users": Exemption(
        ("list_accounts",), "an operator sees all accounts, or acts for each one after the other"
    ),
}

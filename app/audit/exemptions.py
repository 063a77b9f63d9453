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
    "auth/find_credential": Exemption(
        ("users", "credentials", "known_addresses"),
        "a log-in knows its account by the e-mail only",
    ),
    "auth/list_users": Exemption(("users",), "`flask users list` shows an operator all accounts"),
}

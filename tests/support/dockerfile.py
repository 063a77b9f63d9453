"""Dockerfile and compose.yaml, parsed."""

import re

import yaml

from tests.support.services import ROOT

CONTAINER_USER = "10001:10001"  # uid and gid
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order: keyword and arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    split = (line.partition(" ") for line in lines)
    return [(keyword, arguments) for keyword, _, arguments in split if keyword]


def last_instruction(keyword: str) -> str:
    """The arguments of the last instruction with that keyword."""
    return [arguments for each, arguments in instructions() if each == keyword][-1]

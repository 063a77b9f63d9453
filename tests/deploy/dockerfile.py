"""Dockerfile and compose.yaml, as tests read them."""

import re

import yaml

from tests.operations.parts import ROOT

NOBODY = "10001:10001"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order: word and rest, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word]


def the(word: str) -> str:
    """The rest of the last instruction of that kind."""
    return [rest for each, rest in instructions() if each == word][-1]

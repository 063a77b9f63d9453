"""Whether the triggers and functions of a database are those that the migrations make.

A ledger keeps itself by triggers: an owner of the tables could disable one, or replace a function.
The texts of the migrations are compared with PostgreSQL's own description; they are written in its
order of words.
"""

import re
from collections.abc import Iterator

from app.db import schema
from app.db.distribution import UNMADE_TRIGGER
from app.ledger import repository

TRIGGER = re.compile(r"^CREATE (?:CONSTRAINT )?TRIGGER (\w+) [^;]+", re.MULTILINE)
COMMENT = re.compile("--.*")
FUNCTION = re.compile(
    r"^CREATE (?:OR REPLACE )?FUNCTION (\w+)\([^;$]+\$\$((?s:.*?))\$\$", re.MULTILINE
)
COMMENT = re.compile("--.*")


def made() -> dict[str, str]:
    """The triggers that the migrations make: their CREATE statements by name."""
    return {match[1]: match[0] for match in TRIGGER.finditer(_migrations())}


def problems() -> Iterator[str]:
    """What differs, as sentences; nothing where the database is as the migrations made it."""
    yield from _trigger_problems(made())
    yield from _function_problems({each[1]: each[2] for each in FUNCTION.finditer(_migrations())})


def _migrations() -> str:
    return "\n".join(schema.read(name) for name in schema.known())


def _trigger_problems(wanted: dict[str, str]) -> Iterator[str]:
    found = {row.name: row for row in repository.list_triggers()}
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found and name == UNMADE_TRIGGER and repository.is_sharded():
            continue
        if name not in found:
            yield f"the trigger {name} is missing"
        elif name not in wanted:
            yield f"the trigger {name} is of no migration"
        elif not found[name].is_enabled:
            yield f"the trigger {name} is disabled"
        elif _words(found[name].definition) != _words(wanted[name]):
            yield f"the trigger {name} is not as its migration made it"


def _function_problems(wanted: dict[str, str]) -> Iterator[str]:
    found = dict(repository.list_functions())
    for name, body in wanted.items():
        if found.get(name) != body:
            yield f"the function {name} is not as its migration made it"


def _words(definition: str) -> list[str]:
    """The words of a trigger's definition without comments; PostgreSQL adds the schema to names."""
    return COMMENT.sub("", definition).replace("public.", "").split()

"""Whether the triggers and functions of a database are those that the migrations make.

A ledger keeps itself by triggers: an owner of the tables could disable one, or replace a function.
The texts of the migrations are compared with PostgreSQL's own description; they are written in its
order of words.
"""

import re
from collections.abc import Iterator

from app.db import schema
from app.ledger import repository

TRIGGER = re.compile(r"^CREATE (?:CONSTRAINT )?TRIGGER (\w+) [^;]+", re.MULTILINE)
FUNCTION = re.compile(
    r"^CREATE (?:OR REPLACE )?FUNCTION (\w+)\([^;$]+\$\$((?s:.*?))\$\$", re.MULTILINE
)


def problems() -> Iterator[str]:
    """What differs, as sentences; nothing where the database is as the migrations made it."""
    text = "\n".join(schema.read(name) for name in schema.known())
    yield from _trigger_problems({match[1]: match[0] for match in TRIGGER.finditer(text)})
    yield from _function_problems({match[1]: match[2] for match in FUNCTION.finditer(text)})


def _trigger_problems(made: dict[str, str]) -> Iterator[str]:
    found = {row.name: row for row in repository.list_triggers()}
    for name in sorted(made.keys() | found.keys()):
        if name not in found:
            yield f"the trigger {name} is missing"
        elif name not in made:
            yield f"the trigger {name} is of no migration"
        elif not found[name].is_enabled:
            yield f"the trigger {name} is disabled"
        elif _words(found[name].definition) != _words(made[name]):
            yield f"the trigger {name} is not as its migration made it"


def _function_problems(made: dict[str, str]) -> Iterator[str]:
    found = dict(repository.list_functions())
    for name, body in made.items():
        if found.get(name) != body:
            yield f"the function {name} is not as its migration made it"


def _words(definition: str) -> list[str]:
    """The words of a trigger's definition; PostgreSQL adds the schema to names."""
    return definition.replace("public.", "").split()

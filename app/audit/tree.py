"""The reader of query trees as PostgreSQL writes them: `{QUERY :rtable (...) ...}`.

A node has a label and named fields. A field's value is a node, a list, a number or a word. A
backslash protects the character after it, so that a name in the statement is always one word, and
never a number, whatever it is made of.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

WORD = re.compile(r"[{}()]|(?:\\.|[^\s{}()\\])+", re.DOTALL)
NUMBER = re.compile(r"-?[0-9]+")
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
NOTHING: tuple[()] = ()  # `<>`
LINE = 78  # bytes; the log has lines of at most that, and may cut a longer word in two


class TreeError(Exception):
    """A text that is not a tree, or not one that can be read with certainty."""


@dataclass(frozen=True, eq=False)
class Node:
    """A node, whose fields are its attributes, named as in PostgreSQL.

    A field that this version of PostgreSQL does not have is NOTHING: false, and an empty list.
    """

    label: str
    fields: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.fields.get(name, NOTHING)


def read(text: str) -> Any:
    """The tree that PostgreSQL has written. Raises TreeError."""
    if any(" " not in line[1:] and len(line.encode()) >= LINE for line in text.split("\n")):
        raise TreeError("it has a name that is too long")
    words = (match[0] for match in WORD.finditer(text))
    try:
        tree = _value(next(words), words)
    except (StopIteration, RecursionError, ValueError) as error:
        raise TreeError("it ends early, or is nested too deeply") from error
    if next(words, None) is not None:
        raise TreeError("it goes on after its end")
    return tree


def nodes_in(value: Any) -> Iterator[Node]:
    """All nodes of a part of the tree, itself included."""
    if isinstance(value, Node):
        yield value
        value = list(value.fields.values())
    if isinstance(value, list):
        for each in value:
            yield from nodes_in(each)


def _value(word: str, words: Iterator[str]) -> Any:
    if word == "{":
        return _node(words)
    if word == "(":
        return [_value(each, words) for each in iter(words.__next__, ")")]
    if word in ("}", ")"):
        raise TreeError(f"it has {word!r} in the place of a value")
    if word == "<>":
        return NOTHING
    if NUMBER.fullmatch(word):
        return int(word)
    return ESCAPED.sub(r"\1", word[1:-1] if word[0] == '"' else word)  # a name in a list has quotes


def _node(words: Iterator[str]) -> Node:
    label, fields = next(words), dict[str, Any]()
    while (word := next(words)) != "}":
        name = word.removeprefix(":")
        if name == word or name in fields:
            raise TreeError(f"it has {word!r} in the place of a field")
        fields[name] = _value(next(words), words)  # one value, even if it looks like a field
        if name == "constvalue" and fields[name] != NOTHING:  # their number, then `[ 116 101 ]`
            fields[name] = bytes(int(n) % 256 for n in iter(words.__next__, "]") if n != "[")
    return Node(label, fields)

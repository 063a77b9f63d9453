"""The reader of query trees as PostgreSQL writes them to its log: `{QUERY :rtable (...) ...}`.

A node has a label and named fields. A field's value is a node, a list, a word, or nothing (`<>`). A
backslash protects the character after it, so that a name in the statement is always one word,
whatever it is made of. PostgreSQL folds the text into lines of at most 78 bytes at blanks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, Union

Value: TypeAlias = Union["Node", list["Value"], str, None]

WORD = re.compile(r"[{}()]|(?:\\.|[^\s{}()\\])+", re.DOTALL)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
NOTHING = "<>"
LINE = 78  # bytes; a line of this length without a blank may end within a word


class TreeError(Exception):
    """A text that is not a tree, or not one that can be read with certainty."""


@dataclass(frozen=True, eq=False)
class Node:
    """A node; a field that this version of PostgreSQL does not have is nothing."""

    label: str
    fields: dict[str, Value]

    def word(self, name: str) -> str:
        """The field as a word, as the tree has it; empty where it is nothing."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """The field as a number; 0 where it is nothing."""
        return int(self.word(name) or 0)

    def is_set(self, name: str) -> bool:
        """Whether the field, a boolean, is true."""
        return self.word(name) == "true"

    def node(self, name: str) -> "Node | None":
        """The field as a node; None where it is nothing."""
        value = self.fields.get(name)
        return value if isinstance(value, Node) else None

    def items(self, name: str) -> list[Value]:
        """The field as a list; empty where it is nothing."""
        value = self.fields.get(name)
        return value if isinstance(value, list) else []

    def nodes(self, name: str) -> list["Node"]:
        """The nodes in the field, a list."""
        return [each for each in self.items(name) if isinstance(each, Node)]


def read(text: str) -> Value:
    """The tree that PostgreSQL has written. Raises TreeError."""
    if any(" " not in line[1:] and len(line.encode()) >= LINE for line in text.split("\n")):
        raise TreeError("it has a name that is too long")
    words = (match[0] for match in WORD.finditer(text))
    try:
        tree = _value(next(words), words)
    except (StopIteration, RecursionError) as error:
        raise TreeError("it ends early, or is nested too deeply") from error
    if next(words, None) is not None:
        raise TreeError("it goes on after its end")
    return tree


def name_of(word: str) -> str:
    """A name as the statement has it: without the quotes of a list's member and the backslashes."""
    return ESCAPED.sub(r"\1", word[1:-1] if word.startswith('"') else word)


def _value(word: str, words: Iterator[str]) -> Value:
    if word == "{":
        return _node(words)
    if word == "(":
        return [_value(each, words) for each in iter(words.__next__, ")")]
    if word in ("}", ")"):
        raise TreeError(f"it has {word!r} in the place of a value")
    return None if word == NOTHING else word


def _node(words: Iterator[str]) -> Node:
    label, fields = next(words), dict[str, Value]()
    while (word := next(words)) != "}":
        name = word.removeprefix(":")
        if name == word or name in fields:
            raise TreeError(f"it has {word!r} in the place of a field")
        fields[name] = _value(next(words), words)  # one value, even if it looks like a field
        if name == "constvalue" and fields[name] is not None:
            fields[name] = _constant(words)
    return Node(label, fields)


def _constant(words: Iterator[str]) -> str:
    """The bytes of a constant, `[ 116 101 ]`, which follow their number."""
    if next(words) != "[":
        raise TreeError("it has a constant without bytes")
    return " ".join(iter(words.__next__, "]"))

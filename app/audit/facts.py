"""Equalities as facts, and what a column's name stands for: the reasoning below the proof."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlglot import exp

from app.audit.catalogue import OWNER_COLUMN

Node: TypeAlias = tuple[int, str]  # a column of the relation with that number
OWNER: Node = (0, f"%({OWNER_COLUMN})s")


class Facts:
    """Equalities between columns, and between columns and the owner's parameter."""

    def __init__(self, parent: "Facts | None" = None) -> None:
        self.parent = parent
        self._pairs: set[tuple[Node, Node]] = set()

    def add(self, pairs: Iterable[tuple[Node, Node]]) -> None:
        self._pairs.update(pairs)

    def path(self, start: Node) -> list[Node] | None:
        """The shortest way along equalities to the parameter."""
        ways = deque([[start]])
        seen = {start}
        while ways:
            way = ways.popleft()
            if way[-1] == OWNER:
                return way
            for neighbour in sorted(self.neighbours(way[-1]) - seen):
                seen.add(neighbour)
                ways.append([*way, neighbour])
        return None

    def neighbours(self, node: Node) -> set[Node]:
        """What the column is equal to."""
        mine = {b for a, b in self._pairs if a == node} | {a for a, b in self._pairs if b == node}
        return mine | (self.parent.neighbours(node) if self.parent else set())


@dataclass
class Relation:
    """Something that a query reads from or writes to."""

    number: int
    alias: str
    columns: tuple[str, ...] | None  # None: they can't be told
    table: str | None = None  # the owned table that it is
    query: exp.Expr | None = None  # the LATERAL sub-select that it is
    conditions: list[exp.Expr] = field(default_factory=list)  # ON of joins that may leave it empty


class Scope:
    """The relations that a query's expressions can name; the ones around it are in `parent`."""

    def __init__(self, parent: "Scope | None", facts: Facts | None = None) -> None:
        self.parent = parent
        self.facts: Facts = facts or Facts(parent.facts if parent else None)
        self.relations: dict[str, Relation] = {}

    def node(self, column: exp.Column) -> Node | None:
        """What a column's name stands for; None where that is not certain."""
        if column.args.get("db"):
            return None
        if column.table:
            return self.qualified(folded(column.args["table"]), folded(column.this))
        return self.unqualified(folded(column.this))

    def qualified(self, alias: str, name: str) -> Node | None:
        """alias.name, looked for from the inside out."""
        relation = self.relations.get(alias)
        if relation is None:
            return self.parent.qualified(alias, name) if self.parent else None
        known = relation.columns is None or name in relation.columns
        return (relation.number, name) if known else None

    def unqualified(self, name: str) -> Node | None:
        """The one relation's column of that name; a column of unknown relations could be it."""
        relations = self.relations.values()
        if any(relation.columns is None for relation in relations):
            return None
        having = [relation for relation in relations if name in (relation.columns or ())]
        if not having:
            return self.parent.unqualified(name) if self.parent else None
        return (having[0].number, name) if len(having) == 1 else None


def folded(identifier: exp.Expr) -> str:
    """An identifier's name, as PostgreSQL folds it."""
    name: str = identifier.name
    return name if identifier.args.get("quoted") else name.lower()

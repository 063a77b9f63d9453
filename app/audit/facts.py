"""Equalities between columns, and name resolution: the reasoning behind the ownership proof."""

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
        """Adds equalities, each as its two sides."""
        self._pairs.update(pairs)

    def path(self, start: Node) -> list[Node] | None:
        """The shortest path along equalities to the owner's parameter; None where there is none."""
        paths = deque([[start]])
        seen = {start}
        while paths:
            path = paths.popleft()
            if path[-1] == OWNER:
                return path
            for neighbour in sorted(self.neighbours(path[-1]) - seen):
                seen.add(neighbour)
                paths.append([*path, neighbour])
        return None

    def neighbours(self, node: Node) -> set[Node]:
        """The columns and parameters that the column is equal to."""
        mine = {b for a, b in self._pairs if a == node} | {a for a, b in self._pairs if b == node}
        return mine | (self.parent.neighbours(node) if self.parent else set())


@dataclass
class Relation:
    """A table, CTE, sub-select or function in FROM, or the target of a write."""

    number: int
    alias: str
    columns: tuple[str, ...] | None  # None: unknown
    table: str | None = None  # its name if it is an owned table
    query: exp.Expr | None = None  # if it is a LATERAL sub-select
    conditions: list[exp.Expr] = field(default_factory=list)  # ON of joins that may leave it empty


class Scope:
    """The relations that a query's expressions can name; `parent` is the enclosing query's."""

    def __init__(self, parent: "Scope | None", facts: Facts | None = None) -> None:
        self.parent = parent
        self.facts: Facts = facts or Facts(parent.facts if parent else None)
        self.relations: dict[str, Relation] = {}

    def node(self, column: exp.Column) -> Node | None:
        """The column that a name refers to; None where that is not certain."""
        if column.args.get("db"):
            return None
        if column.table:
            return self.qualified(folded(column.args["table"]), folded(column.this))
        return self.unqualified(folded(column.this))

    def qualified(self, alias: str, name: str) -> Node | None:
        """The column alias.name of this scope or the nearest enclosing one that has the alias."""
        relation = self.relations.get(alias)
        if relation is None:
            return self.parent.qualified(alias, name) if self.parent else None
        known = relation.columns is None or name in relation.columns
        return (relation.number, name) if known else None

    def unqualified(self, name: str) -> Node | None:
        """The only column of that name; None where a relation's columns are unknown."""
        relations = self.relations.values()
        if any(relation.columns is None for relation in relations):
            return None
        having = [relation for relation in relations if name in (relation.columns or ())]
        if not having:
            return self.parent.unqualified(name) if self.parent else None
        return (having[0].number, name) if len(having) == 1 else None


def folded(identifier: exp.Expr) -> str:
    """An identifier's name: lower case unless quoted, as in PostgreSQL."""
    name: str = identifier.name
    return name if identifier.args.get("quoted") else name.lower()

"""The relations of a query, and equalities between their columns: the proof's reasoning."""

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from app.audit.tree import Node

OWNER_COLUMN, OWNER_PARAMETER = "owner_id", "%(owner_id)s"


class Column(NamedTuple):
    """A column of a relation, by its numbers in the query tree."""

    scope: int  # the query that the relation is in; 0 for the owner's parameter
    relation: int
    number: int
    name: str  # as the query has it


OWNER = Column(0, 0, 0, OWNER_PARAMETER)


@dataclass
class Facts:
    """Equalities between columns, and between columns and the owner's parameter.

    Those of `parent` hold as well, also those added to it later.
    """

    parent: "Facts | None" = None
    pairs: list[tuple[Column, Column]] = field(default_factory=list)

    def path(self, start: Column) -> list[Column] | None:
        """The shortest path along equalities to the owner's parameter; None where there is none."""
        return next((path for path in self._paths(start) if path[-1] == OWNER), None)

    def owned(self) -> set[Column]:
        """The columns that are the owner's id."""
        return {path[-1] for path in self._paths(OWNER)}

    def _paths(self, start: Column) -> list[list[Column]]:
        """The shortest path to each column that is equal to the first one, by their lengths."""
        paths, seen = [[start]], {start}
        for path in paths:  # which grows meanwhile
            for neighbour in sorted(self.neighbours(path[-1]) - seen):
                seen.add(neighbour)
                paths.append([*path, neighbour])
        return paths

    def neighbours(self, column: Column) -> set[Column]:
        """The columns that an equality has beside this one, which may be among them."""
        others = {other for pair in self.pairs if column in pair for other in pair}
        return others | self.parent.neighbours(column) if self.parent else others


@dataclass
class Scope:
    """A query: its relations, and what holds for the rows that it gives."""

    query: Node
    parent: "Scope | None"  # the query around it
    outer: Facts  # about the rows of the queries around it
    row: Facts
    ctes: dict[str, Collection[int]] = field(default_factory=dict)  # columns: the owner's id
    number: int = field(default_factory=count(1).__next__)

    def up(self, levels: int) -> "Scope":
        """The scope of the query that many levels further out."""
        return self.parent.up(levels - 1) if levels and self.parent else self

    def column(self, variable: Node) -> Column | None:
        """The column that a VAR refers to; None where it is a whole row or an expression."""
        scope, number = self.up(variable.varlevelsup), variable.varattno
        if number <= 0:
            return None
        relation = scope.query.rtable[variable.varno - 1]
        if named := relation.joinaliasvars or relation.groupexprs:  # its columns are of others
            return scope.column(named[number - 1]) if named[number - 1].label == "VAR" else None
        return scope.at(variable.varno, number)

    def at(self, index: int, number: int) -> Column:
        """A column of one of the query's relations, by its number."""
        names = self.query.rtable[index - 1].eref
        return Column(self.number, index, number, f"{names.aliasname}.{names.colnames[number - 1]}")

"""The relations of a query, and equalities between their columns: the proof's reasoning."""

from collections import deque
from collections.abc import Collection, Iterable
from typing import NamedTuple

from app.audit.tree import Node, TreeError, name_of

DELETE = 4  # PostgreSQL's number of the command
JOIN, GROUP = 2, 9  # and of relations that only name columns of others, in these fields
MERGED = {JOIN: "joinaliasvars", GROUP: "groupexprs"}
OLD = 1


class Column(NamedTuple):
    """A column of a relation, by its numbers in the query tree.

    The table that a statement writes to has two rows: the relation is negative for the new one.
    """

    scope: int  # the query that the relation is in; 0 for the owner's parameter
    relation: int
    number: int


OWNER = Column(0, 0, 0)


class Facts:
    """Equalities between columns, and between columns and the owner's parameter.

    Those of `parent` hold as well, also those added to it later.
    """

    def __init__(
        self, parent: "Facts | None" = None, pairs: Iterable[tuple[Column, Column]] = ()
    ) -> None:
        self._parent = parent
        self._equal: dict[Column, set[Column]] = {}
        self.add(pairs)

    def add(self, pairs: Iterable[tuple[Column, Column]]) -> None:
        """Adds equalities, each as its two sides."""
        for one, other in pairs:
            self._equal.setdefault(one, set()).add(other)
            self._equal.setdefault(other, set()).add(one)

    def path(self, start: Column) -> list[Column] | None:
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

    def neighbours(self, column: Column) -> set[Column]:
        """The columns and parameters that the column is equal to."""
        mine = self._equal.get(column, set())
        return mine | self._parent.neighbours(column) if self._parent else mine


class Scope:
    """A query: its relations, and what holds for the rows that it gives.

    `outer` are facts about the rows of the enclosing queries, which `parent` leads to.
    """

    def __init__(self, number: int, query: Node, parent: "Scope | None", outer: Facts) -> None:
        self.number = number
        self.query = query
        self.parent = parent
        self.outer = outer
        self.row = Facts(outer)
        self.relations = query.nodes("rtable")
        self.target = query.number("resultRelation")
        self.ctes: dict[str, Collection[int]] = {}  # the columns that are the owner's id
        self.has_new_row = False  # whether a column of the target is that of its new row

    def up(self, levels: int) -> "Scope":
        """The scope of the query that many levels further out. Raises TreeError."""
        if levels and self.parent is None:
            raise TreeError("it names a query around it that there is not")
        return self.parent.up(levels - 1) if levels and self.parent else self

    def returning(self, facts: Facts) -> "Scope":
        """The scope of RETURNING, where the target's columns are those of its new row."""
        scope = Scope(self.number, self.query, self.parent, self.outer)
        scope.row = facts
        scope.ctes = self.ctes
        scope.has_new_row = self.query.number("commandType") != DELETE
        return scope

    def column(self, expression: Node) -> Column | None:
        """The column that a VAR refers to; None where it is a whole row or an expression."""
        scope = self.up(expression.number("varlevelsup"))
        relation, number = expression.number("varno"), expression.number("varattno")
        merged = MERGED.get(scope.relations[relation - 1].number("rtekind"))
        if number <= 0:
            return None
        if merged:
            named = scope.relations[relation - 1].items(merged)[number - 1]
            is_column = isinstance(named, Node) and named.label == "VAR"
            return scope.column(named) if is_column else None  # type: ignore[arg-type]
        is_new = scope.has_new_row and expression.number("varreturningtype") != OLD
        return Column(
            scope.number, -relation if is_new and relation == scope.target else relation, number
        )

    def alias(self, relation: int) -> str:
        """A relation's name in this query."""
        names = self.relations[abs(relation) - 1].node("eref")
        return name_of(names.word("aliasname")) if names else ""

    def column_name(self, column: Column) -> str:
        """A column's name in this query."""
        names = self.relations[abs(column.relation) - 1].node("eref")
        return name_of(str(names.items("colnames")[column.number - 1])) if names else ""

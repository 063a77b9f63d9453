"""What Citus would refuse: rules for statements where tables are sharded by owner.

They read the query tree that plain PostgreSQL makes of each statement, so that a test finds such a
statement without a Citus. A statement that names its owner for every distributed table goes to one
shard as it is; these are the rules that Citus has for it beyond that.
"""

import re
from collections.abc import Iterator
from typing import Any

import psycopg

from app.audit import functions
from app.audit.catalogue import Catalogue, Function
from app.audit.ownership import CALLS, DELETE, FUNCTION, INSERT, SELECT, TABLE, UPDATE
from app.audit.tree import Node, TreeError, nodes_in
from app.db.placement import DISTRIBUTED, LOCAL
from app.db.statements import Statement

# Statements about distributed tables that go to several shards, each with the reason. All are calls
# of functions, which the ownership audit lets pass by name.
ACROSS_SHARDS = {
    "events/list_versions": "one question for the streams of many owners, of the shards of these",
    "reminders/list_due": "the worker looks for what is due on every shard, before it names owners",
    "system/count_troubled_webhooks": "an operator is told two numbers about all accounts",
    "webhooks/list_all": "an operator sees the webhooks of all accounts",
    "webhooks/list_due": "the worker looks for what is due on every shard, before it names owners",
}
COMMENT = re.compile("--.*")
MODIFYING = (UPDATE, INSERT, DELETE)


def refusals(statement: Statement[Any], catalogue: Catalogue) -> list[str]:
    """Why Citus would refuse the statement, or send it to several shards; empty if it would not."""
    try:
        query = catalogue.query_tree(statement.query)
    except (psycopg.Error, TreeError, RecursionError) as error:
        return [f"can't be read: {str(error).splitlines()[0]}"]
    checker = _Checker(statement.name, catalogue, query)
    return list(dict.fromkeys(checker.found()))


class _Checker:
    """The rules, for one statement."""

    def __init__(self, name: str, catalogue: Catalogue, query: Node) -> None:
        self._name = name
        self._catalogue = catalogue
        self._query = query
        self._queries = [each for each in nodes_in(query) if each.label == "QUERY"]
        tables = {name for each in self._queries for name in self._tables(each)}
        self._local = sorted(tables.intersection(LOCAL))
        self._distributed = sorted(tables.intersection(DISTRIBUTED))

    def found(self) -> Iterator[str]:
        """The objections."""
        called = [each for node in nodes_in(self._query) for each in self._functions(node)]
        touched = {name for each in called for name in functions.touched(each, self._catalogue)}
        yield from self._across_shards(touched.intersection(DISTRIBUTED))
        for function in called:
            yield from mixed(function, self._catalogue)
        if self._distributed:
            yield from self._together({*self._local, *touched}, called)
            for query in self._queries:
                yield from self._of_query(query)

    def _across_shards(self, touched: set[str]) -> Iterator[str]:
        """The rule for functions that read distributed tables: the statement is on the list."""
        is_listed = self._name in ACROSS_SHARDS
        if touched and not is_listed:
            names = ", ".join(sorted(touched))
            yield f"a function of it reads {names}, and the statement is not in ACROSS_SHARDS"
        if is_listed and not touched:
            yield "needs no place in ACROSS_SHARDS"

    def _together(self, others: set[str], called: list[Function]) -> Iterator[str]:
        """The rules for what a statement on distributed tables has beside them."""
        if others:
            names, beside = ", ".join(self._distributed), ", ".join(sorted(others))
            yield f"touches {names} together with {beside}"
        yield from (f"calls {each.name}, which is volatile" for each in called if each.is_volatile)

    def _of_query(self, query: Node) -> Iterator[str]:
        if query.hasRecursive == "true":
            yield "uses WITH RECURSIVE"
        if query.rowMarks and len(_references(query.jointree)) > 1:
            yield "locks rows of a join"
        if query.commandType == SELECT or not self._distributed_in(query):
            return
        if query.commandType not in MODIFYING:
            yield "uses MERGE"
            return
        yield from self._of_modification(query)

    def _of_modification(self, query: Node) -> Iterator[str]:
        """The rules for INSERT, UPDATE and DELETE, which Citus evaluates in part beforehand."""
        relations = [query.rtable[number - 1] for number in _references(query.jointree)]
        if query.commandType != INSERT and any(each.rtekind == FUNCTION for each in relations):
            yield "changes rows by a function in FROM; a CTE may have it"
        if any(each.ctequery.commandType != SELECT for each in query.cteList):
            yield "changes rows by a query that has another change in its WITH"
        assigned = query.targetList if query.commandType == UPDATE else []
        yield from self._evaluated([query.jointree.quals, *(each.expr for each in assigned)])
        yield from self._immutable(query.returningList, "in RETURNING")
        if query.onConflict:
            conflict = query.onConflict
            parts = [conflict.onConflictSet, conflict.onConflictWhere]
            yield from self._immutable(parts, "in ON CONFLICT")

    def _evaluated(self, parts: list[Any]) -> Iterator[str]:
        """The rules for what a change compares and assigns."""
        for call, function in self._mutable(parts):
            if any(node.label == "VAR" for node in nodes_in(call)):
                yield f"calls {function.name}, which is not immutable, with a column in a change"
        for choice in _outside_queries(parts):
            if choice.label in ("CASEEXPR", "COALESCEEXPR"):
                yield from self._immutable(choice, "in CASE or COALESCE")

    def _immutable(self, part: Any, place: str) -> Iterator[str]:
        for _, function in self._mutable(part):
            yield f"calls {function.name}, which is not immutable, {place}"

    def _distributed_in(self, query: Node) -> bool:
        table = self._catalogue.tables[query.rtable[query.resultRelation - 1].relid]
        return table.name in DISTRIBUTED

    def _tables(self, query: Node) -> Iterator[str]:
        """The tables that a query reads or changes, without those of the queries in it."""
        for relation in query.rtable:
            if relation.rtekind == TABLE and self._catalogue.tables[relation.relid].is_ours:
                yield self._catalogue.tables[relation.relid].name

    def _mutable(self, part: Any) -> Iterator[tuple[Node, Function]]:
        """The calls of functions that are not IMMUTABLE, without those in sub-selects."""
        for node in _outside_queries(part):
            for function in self._functions(node):
                if function.volatility != "i":
                    yield node, function

    def _functions(self, node: Node) -> Iterator[Function]:
        if node.label in CALLS:
            yield self._catalogue.functions[getattr(node, CALLS[node.label])]


def mixed(function: Function, catalogue: Catalogue) -> Iterator[str]:
    """The statements of a function's text that touch tables of both kinds, as objections."""
    for text in COMMENT.sub("", function.body).split(";"):
        names = functions.touched(function._replace(body=text), catalogue)
        if set(names).intersection(DISTRIBUTED) and set(names).intersection(LOCAL):
            yield f"calls {function.name}, a statement of which touches {', '.join(names)}"


def _references(part: Any) -> list[int]:
    """The numbers of the relations in FROM."""
    return [each.rtindex for each in _outside_queries(part) if each.label == "RANGETBLREF"]


def _outside_queries(value: Any) -> Iterator[Node]:
    """All nodes of a part of the tree but those of queries in it."""
    if isinstance(value, Node):
        if value.label == "QUERY":
            return
        yield value
        value = list(value.fields.values())
    if isinstance(value, list):
        for each in value:
            yield from _outside_queries(each)

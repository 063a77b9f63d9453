"""What PostgreSQL knows: the tables and functions of a database that has the migrations.

It also tells how it has understood a statement: it writes the query tree of a statement that it
parses to the log, and the log to the client.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import psycopg
from psycopg import pq
from psycopg.errors import Diagnostic, error_from_result
from psycopg.rows import class_row

from app.audit import tree
from app.audit.tree import Node, TreeError

SCHEMA, SYSTEM = "public", "pg_catalog"
FIRST_OWN_OID = 16384  # smaller ones are PostgreSQL's own objects

TABLES = """
SELECT
    pg_class.oid::bigint,
    CASE WHEN nspname IN ('public', 'pg_catalog') THEN relname ELSE pg_class.oid::regclass::text END
        AS name,
    nspname = 'public' AND relpersistence = 'p' AND relkind IN ('r', 'p') AS is_ours,
    coalesce(attnum, 0) AS owner
FROM pg_class
INNER JOIN pg_namespace ON relnamespace = pg_namespace.oid
LEFT JOIN pg_attribute
    ON attrelid = pg_class.oid AND atttypid = 'uuid'::regtype
    AND attname = CASE WHEN relname = 'users' THEN 'id' ELSE 'owner_id' END
"""
FUNCTIONS = """
SELECT
    pg_proc.oid::bigint, proname AS name, nspname AS schema,
    lanname AS language, provolatile AS volatility, prokind AS kind,
    prosrc AS body, coalesce(prosqlbody::text, '') AS tree,
    coalesce(proargdefaults::text ~ '\\{(?!CONST )', FALSE) AS computes_defaults
FROM pg_proc
INNER JOIN pg_namespace ON pronamespace = pg_namespace.oid
INNER JOIN pg_language ON prolang = pg_language.oid
"""
# What a function's text may use without calling a function by its name.
OPERATORS_AND_DOMAINS = """
SELECT oprname FROM pg_operator WHERE oid >= 16384
UNION ALL SELECT typname FROM pg_type WHERE oid >= 16384 AND typtype = 'd'
"""
CONSTRAINT_COLUMNS = "SELECT unnest(conkey) FROM pg_constraint WHERE oid = %s"
# They go to the server's log as well, unless the role may keep them from it.
SHOW_TREES = b"""
SELECT set_config('log_min_messages', 'panic', TRUE)
FROM pg_roles WHERE rolname = current_user AND rolsuper;
SET LOCAL client_min_messages = log;
SET LOCAL debug_pretty_print = off;
SET LOCAL debug_print_rewritten = on;
"""
UTILITY = "({QUERY :commandType 6 "  # not all of these can be read


class Table(NamedTuple):
    """A table or view."""

    oid: int
    name: str
    is_ours: bool  # a permanent table that the migrations have made
    owner: int  # the number of the column with the owner's id; 0 without one


class Function(NamedTuple):
    """A function; `tree` is empty where PostgreSQL has kept its body as a text only."""

    oid: int
    name: str
    schema: str
    language: str
    volatility: str  # i, s, v
    kind: str  # f, p, a, w
    body: str
    tree: str
    computes_defaults: bool  # of arguments: the query trees of its calls do not have them

    @property
    def is_volatile(self) -> bool:
        """Whether each call of it is evaluated."""
        return self.volatility == "v"

    @property
    def is_built_in(self) -> bool:
        """Whether it is PostgreSQL's own."""
        return self.schema == SYSTEM and self.oid < FIRST_OWN_OID


class Catalogue:
    """The catalogues behind a connection in autocommit mode, read once, at the first use."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    @cached_property
    def tables(self) -> Mapping[int, Table]:
        """All tables and views, by oid."""
        cursor = self._connection.cursor(row_factory=class_row(Table))
        return {each.oid: each for each in cursor.execute(TABLES)}

    @cached_property
    def functions(self) -> Mapping[int, Function]:
        """All functions, by oid."""
        cursor = self._connection.cursor(row_factory=class_row(Function))
        return {each.oid: each for each in cursor.execute(FUNCTIONS)}

    @cached_property
    def operators_and_domains(self) -> list[str]:
        """The names of those that are not PostgreSQL's own."""
        return [name for (name,) in self._connection.execute(OPERATORS_AND_DOMAINS)]

    @property
    def owned_tables(self) -> list[str]:
        """The names of the tables whose rows have an owner, sorted."""
        return sorted(each.name for each in self.tables.values() if each.is_ours and each.owner)

    def constraint_columns(self, oid: int) -> set[int]:
        """The numbers of a constraint's columns."""
        return {number for (number,) in self._connection.execute(CONSTRAINT_COLUMNS, (oid,))}

    def query_tree(self, query: bytes) -> Node:
        """The tree of the statement as PostgreSQL executes it: names resolved, views followed.

        It is the tree of the very message by which the service prepares the statement. Raises
        TreeError for a statement without a tree, or with several, and psycopg.Error where
        PostgreSQL refuses it.
        """
        trees: list[str] = []

        def collect(notice: Diagnostic) -> None:
            trees.extend(each for each in [notice.message_detail] if each and each[0] == "(")

        with self._connection.transaction(force_rollback=True):
            self._connection.pgconn.exec_(SHOW_TREES)
            self._connection.add_notice_handler(collect)
            result = self._connection.pgconn.prepare(b"", query)
            self._connection.remove_notice_handler(collect)
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise error_from_result(result)
        is_readable = len(trees) == 1 and not trees[0].startswith(UTILITY)
        queries: list[Node] = tree.read(trees[0]) if is_readable else []
        if len(queries) != 1:
            raise TreeError("it is not one SELECT, INSERT, UPDATE or DELETE")
        return queries[0]

"""What PostgreSQL knows: the tables and functions of a database that has the migrations.

It also tells how it has understood a statement: it writes the query tree of a statement that it
parses to the log, and the log to the client.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import psycopg
from psycopg import pq
from psycopg.errors import Diagnostic, error_from_result
from psycopg.rows import class_row

from app.audit import tree
from app.audit.tree import Node, TreeError

OWNER_COLUMN = "owner_id"
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
    pg_proc.oid::bigint,
    proname AS name,
    nspname AS schema,
    lanname AS language,
    provolatile AS volatility,
    prokind AS kind,
    coalesce(pg_get_function_sqlbody(pg_proc.oid), prosrc) AS body,
    ARRAY[
        aggtransfn, aggfinalfn, aggcombinefn, aggmtransfn, aggminvtransfn, aggmfinalfn
    ]::oid[]::bigint[] AS parts
FROM pg_proc
INNER JOIN pg_namespace ON pronamespace = pg_namespace.oid
INNER JOIN pg_language ON prolang = pg_language.oid
LEFT JOIN pg_aggregate ON aggfnoid = pg_proc.oid
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

# PostgreSQL's own functions that depend on a setting, the time or chance, and read no table. Others
# could run a query that is given as text (query_to_xml), or show what other sessions do; those that
# are IMMUTABLE read nothing but their arguments.
PURE = re.compile(
    r"""(date|interval|timestamp|timestamptz)_\w+|date|time|timestamp|timestamptz|timetz|timezone
    |to_(char|date|json|jsonb|number|regclass|timestamp)|(plainto|phraseto|to|websearch_to)_tsquery
    |to_tsvector|jsonb?_(build_array|build_object|agg|object_agg)|array_to_(json|string)|row_to_json
    |jsonb?_(populate|to)_record(set)?|concat|concat_ws|textanycat|anytextcat|format|length|numeric
    |convert|convert_(from|to)|quote_(literal|nullable)|extract|age|overlaps|generate_series|now
    |(clock|statement|transaction)_timestamp|make_timestamptz|random|gen_random_uuid|uuidv4|uuidv7
    |current_setting|pg_backend_pid|pg_typeof|version|has_(schema|table)_privilege
    |row_security_active|pg_get_triggerdef""",
    re.VERBOSE,
)
# Functions with an effect on the session or the transaction: no argument of theirs may be read from
# a table, as it is not sure that PostgreSQL evaluates them for rows of the owner only.
EFFECTS = re.compile(r"set_config|pg_(try_)?advisory_xact_lock(_shared)?")

# The words without which a function's body can't reach a table; of its other words, those that name
# functions are looked up. A comment or a quoted name could hide a call from CALL.
REACHES = re.compile(
    r"""alter|call|copy|create|delete|do|drop|execute|fetch|from|insert|join|lock|merge|move|open
    |prepare|reset|set|table|truncate|update|using""",
    re.VERBOSE,
)
HIDES = re.compile(r"""--|/\*|"\s*\(""")
CALL = re.compile(r"(\w+)\s*\(")
EXTRACT = re.compile(r"\bextract\(\w+ FROM\b", re.IGNORECASE)


class Table(NamedTuple):
    """A table or view."""

    oid: int
    name: str
    is_ours: bool  # a permanent table that the migrations have made
    owner: int  # the number of the column with the owner's id; 0 without one


class Function(NamedTuple):
    """A function; `parts` are the oids of those that an aggregate is made of."""

    oid: int
    name: str
    schema: str
    language: str
    volatility: str  # i, s, v
    kind: str  # f, p, a, w
    body: str
    parts: list[int | None]


class Catalogue:
    """The catalogues behind a connection in autocommit mode, read once, at the first use."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._pure: dict[int, bool] = {}

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
        if len(trees) == 1 and not trees[0].startswith(UTILITY):
            queries = tree.read(trees[0])
            if isinstance(queries, list) and len(queries) == 1 and isinstance(queries[0], Node):
                return queries[0]
        raise TreeError("it is not one SELECT, INSERT, UPDATE or DELETE")

    def is_pure(self, oid: int) -> bool:
        """Whether a function reads nothing but its arguments, settings, the time and chance."""
        if oid not in self._pure:
            self._pure[oid] = False  # for functions that call each other
            self._pure[oid] = self._judge(self.functions[oid])
        return self._pure[oid]

    def touched(self, function: Function) -> list[str]:
        """The tables that a function names, sorted."""
        ours = {each.name for each in self.tables.values() if each.is_ours}
        return sorted(ours & _words(function.body)) if function.schema == SCHEMA else []

    def writes(self, function: Function) -> bool:
        """Whether a function may write to a table: a VOLATILE one that names a table."""
        return function.volatility == "v" and bool(self.touched(function))

    def _judge(self, function: Function) -> bool:
        if function.oid < FIRST_OWN_OID and function.schema == SYSTEM:
            is_known = PURE.fullmatch(function.name) or function.kind in ("a", "w")
            return function.volatility == "i" or bool(is_known)
        if function.kind == "a":
            return all(self.is_pure(part) for part in function.parts if part)
        body = EXTRACT.sub("extract(", function.body)
        words = _words(body)
        if function.schema != SCHEMA or function.language not in ("sql", "plpgsql"):
            return False
        if HIDES.search(body) or any(map(REACHES.fullmatch, words)) or self.touched(function):
            return False
        called = {name.lower() for name in CALL.findall(body)}
        return all(
            self.is_pure(each.oid)
            for each in self.functions.values()
            if each.name in called or (each.schema == SCHEMA and each.name in words)
            if each.oid != function.oid
        )


def _words(body: str) -> set[str]:
    return set(re.findall(r"\w+", body.lower()))

"""The ownership proof: every owned table of a statement is bound to %(owner_id)s.

It walks the query tree that PostgreSQL has made of the statement. Equalities that hold for every
row that a query gives or changes (conjuncts of WHERE and of an inner join's ON) are facts; a
relation is bound when facts lead from its owner column to the parameter. The proof is conservative:
it refuses whatever it does not know.

Facts are about the rows that a query gives in the end. PostgreSQL may evaluate an expression for
other rows as well, and drop what comes of it. So nothing but reading may rely on the facts of an
enclosing query. The proof says nothing of errors and of times.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

from app.audit.catalogue import EFFECTS, FIRST_OWN_OID, OWNER_COLUMN, SYSTEM, Catalogue, Function
from app.audit.scopes import DELETE, GROUP, JOIN, OWNER, Column, Facts, Scope
from app.audit.tree import Node, TreeError, Value
from app.db.statements import PARAMETER, Statement

# Numbers of PostgreSQL's enumerations, as the tree has them.
SELECT, UPDATE, INSERT = 1, 2, 3
TABLE, SUBQUERY, FUNCTION, TABLE_FUNCTION, VALUES, CTE, RESULT = 0, 1, 3, 4, 5, 6, 8
INNER, LEFT, FULL, RIGHT = range(4)
DO_UPDATE = 2
EQUALITY = 2972  # the oid of pg_catalog.=(uuid, uuid)

OWNER_PARAMETER = f"%({OWNER_COLUMN})s"
OWNER_SETTING = "app.owner_id"
SETTINGS = re.compile(
    r"(statement|lock|idle_in_transaction_session)_timeout|plan_cache_mode|enable_seqscan"
    r"|datestyle|intervalstyle|timezone|client_encoding|standard_conforming_strings|bytea_output"
    r"|extra_float_digits|default_transaction_isolation|quote_all_identifiers"
)
FIXED_SETTINGS = {"search_path": "public", "row_security": "on"}  # to these values only
# The nodes that an expression may have, and the fields of some with the function that they call.
KNOWN = re.compile(
    r"""AGGREF|ARRAYCOERCEEXPR|ARRAYEXPR|BOOLEANTEST|BOOLEXPR|CASE(EXPR|TESTEXPR|WHEN)|COALESCEEXPR
    |COERCEVIAIO|COLLATEEXPR|CONST|DISTINCTEXPR|FIELDSELECT|FUNCEXPR|GROUPING(FUNC|SET)|MINMAXEXPR
    |JSON(BEHAVIOR|CONSTRUCTOREXPR|EXPR|FORMAT|ISPREDICATE|RETURNING|VALUEEXPR|TABLE(PATH|PATHSCAN))
    |NAMEDARGEXPR|NEXTVALUEEXPR|NULLIFEXPR|NULLTEST|OPEXPR|PARAM|RANGETBLFUNCTION|RELABELTYPE
    |ROWCOMPAREEXPR|ROWEXPR|SCALARARRAYOPEXPR|SORTGROUPCLAUSE|SQLVALUEFUNCTION|SUBLINK|TABLEFUNC
    |SUBSCRIPTINGREF|TARGETENTRY|VAR|WINDOW(CLAUSE|FUNC)""",
    re.VERBOSE,
)
CALLS = {"AGGREF": "aggfnoid", "FUNCEXPR": "funcid", "WINDOWFUNC": "winfnoid"} | dict.fromkeys(
    ("DISTINCTEXPR", "NULLIFEXPR", "OPEXPR", "SCALARARRAYOPEXPR"), "opfuncid"
)
OBJECTS = ("opno", "eqop", "sortop", "opnos", "paramtype")  # fields with operators and types

NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
REFERENCE = re.compile(rf"%\(\w+\)s|{NAME}(?:\s*\.\s*{NAME})*")
STAR = re.compile(rf"(?:{NAME}\s*\.\s*)*\*")


@dataclass(frozen=True)
class Binding:
    """An occurrence of an owned table, and the equalities that lead from it to the owner."""

    table: str
    path: str
    is_direct: bool


@dataclass(frozen=True)
class Predicate:
    """An equality about an owner column, and its position in the text, as slice indices."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Objection:
    """Why the proof fails, and the table or function concerned; empty for the whole statement."""

    text: str
    subject: str = ""


@dataclass
class Proof:
    """What was found out about a statement; without objections it touches only its owner's rows."""

    bindings: list[Binding] = field(default_factory=list)
    objections: list[Objection] = field(default_factory=list)
    predicates: list[Predicate] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    effects: list[str] | None = None  # what it does besides reading; None: not known
    has_star: bool = False  # in a select list

    def object(self, text: str, subject: str = "") -> None:
        """Adds an objection, once."""
        if Objection(text, subject) not in self.objections:
            self.objections.append(Objection(text, subject))


def prove(statement: Statement[Any], catalogue: Catalogue) -> Proof:
    """The proof for one statement; its predicates have their positions in `statement.text`."""
    prover = _Prover(statement, catalogue)
    try:
        prover.query(catalogue.query_tree(statement.query), None, Facts())
        prover.end()
    except psycopg.Error as error:
        prover.proof.object(f"can't be prepared: {str(error).splitlines()[0]}")
    except TreeError as error:
        prover.proof.object(f"can't be followed: {error}")
    except RecursionError:
        prover.proof.object("is nested too deeply")
    return prover.proof


class _Prover:
    def __init__(self, statement: Statement[Any], catalogue: Catalogue) -> None:
        self.proof = Proof()
        self._catalogue = catalogue
        self._scopes: list[Scope] = []
        self._text = statement.text
        self._positions = list(_positions(statement))
        names = statement.parameters
        self._owner = names.index(OWNER_COLUMN) + 1 if OWNER_COLUMN in names else 0
        self._effects: dict[str, None] = {}

    def end(self) -> None:
        """Adds the statement's effects to the proof of its query."""
        self.proof.effects = [f"writes {table}" for table in sorted(self.proof.writes)]
        self.proof.effects += self._effects

    def query(
        self, node: Node, parent: Scope | None, outer: Facts, assumed: Collection[int] = ()
    ) -> Collection[int]:
        """Proves a query and the queries in it; returns the columns that are the owner's id.

        `assumed` are columns that the enclosing query compares with the owner's id, so that it
        drops the rows in which they are anything else.
        """
        command, locks = node.number("commandType"), node.nodes("rowMarks")
        if command not in (SELECT, UPDATE, INSERT, DELETE):
            self.proof.object("uses MERGE, which the proof can't follow")
            return ()
        if locks:
            self._effects["locks rows"] = None
        if locks or command != SELECT:
            outer = Facts()  # it could lock or change rows that the enclosing query drops
        scope = Scope(len(self._scopes) + 1, node, parent, outer)
        self._scopes.append(scope)
        self._with(scope)
        assumed = assumed if _is_plain(node) else ()
        if node.node("setOperations"):
            return self._set_operation(scope, assumed)
        for entry in node.nodes("targetList"):
            column = self._side(entry.node("expr"), scope)
            if column and entry.number("resno") in assumed:
                scope.row.add([(column, OWNER)])
        self._from(scope)
        self._clauses(scope)
        if command != SELECT:
            return self._changed(scope)
        return self._owned(node.nodes("targetList"), scope, self._given(scope))

    def _with(self, scope: Scope) -> None:
        for cte in scope.query.nodes("cteList"):
            if cte.is_set("cterecursive"):
                self.proof.object("uses WITH RECURSIVE, which the proof can't follow")
            query = cte.node("ctequery")
            scope.ctes[cte.word("ctename")] = self.query(query, scope, scope.outer) if query else ()

    def _set_operation(self, scope: Scope, assumed: Collection[int]) -> Collection[int]:
        """The columns that are the owner's id in all branches."""
        branches = [
            scope.relations[part.number("rtindex") - 1].node("subquery")
            for part in _parts(scope.query.node("setOperations"))
            if part.label == "RANGETBLREF"
        ]
        owned = [set(self.query(each, scope, scope.outer, assumed)) for each in branches if each]
        self._clauses(scope)
        return set.intersection(*owned) if owned else ()

    def _owned(self, entries: Iterable[Node], scope: Scope, facts: Facts) -> Collection[int]:
        """The numbers of the columns that are the owner's id."""
        return {
            entry.number("resno")
            for entry in entries
            if not entry.is_set("resjunk") and self._is_owner(entry.node("expr"), scope, facts)
        }

    def _given(self, scope: Scope) -> Facts:
        """The facts about what a query gives: one row is given even where none meets WHERE."""
        query, sets = scope.query, scope.query.nodes("groupingSets")
        aggregates = query.is_set("hasAggs") or query.node("havingQual") or sets
        is_one = aggregates and (sets or not query.nodes("groupClause"))
        return scope.outer if is_one else scope.row

    # Relations

    def _from(self, scope: Scope) -> None:
        """Collects the facts of FROM and WHERE, then proves each relation by them."""
        tree = scope.query.node("jointree")
        scope.row.add(self._joined(tree, scope))
        places = dict(self._places(tree, scope, scope.row))
        kinds = [relation.number("rtekind") for relation in scope.relations]
        for index in sorted(places, key=lambda index: (_order(kinds[index - 1]), index)):
            self._relation(scope, index, places[index])
        for index, kind in enumerate(kinds, 1):
            if index not in places and kind not in (TABLE, JOIN, GROUP, RESULT):
                self.proof.object("has a relation that is in no FROM")

    def _joined(self, tree: Node | None, scope: Scope) -> Iterator[tuple[Column, Column]]:
        """The equalities that hold in each row of a part of FROM."""
        if tree is not None and not any(is_nullable for _, is_nullable in _sides(tree)):
            yield from self._equalities(tree.node("quals"), scope)
        for side, is_nullable in _sides(tree):
            if not is_nullable:
                yield from self._joined(side, scope)

    def _places(self, tree: Node | None, scope: Scope, facts: Facts) -> Iterator[tuple[int, Facts]]:
        """The number of each relation in FROM, and the facts about those of its rows that matter.

        Rows of a side that an outer join may replace by nulls matter where its ON holds.
        """
        if tree is None or tree.label == "RANGETBLREF":
            yield from [(tree.number("rtindex"), facts)] if tree else []
            return
        condition = tree.node("quals")
        on = Facts(facts, self._equalities(condition, scope))
        self._walk(condition, scope, on)
        if tree.number("jointype") not in (INNER, LEFT, FULL, RIGHT):
            self.proof.object("uses a join that the proof does not know")
        for side, is_nullable in _sides(tree):
            about = facts if tree.number("jointype") == FULL else on
            known = Facts(about, self._joined(side, scope)) if is_nullable else facts
            yield from self._places(side, scope, known)

    def _relation(self, scope: Scope, index: int, facts: Facts) -> None:
        """Proves a relation in FROM; its columns that are the owner's id become facts."""
        relation = scope.relations[index - 1]
        kind = relation.number("rtekind")
        owned: Collection[int] = ()
        if relation.node("tablesample"):
            self.proof.object("uses TABLESAMPLE, which the proof can't follow")
        if kind == TABLE:
            self._table(scope, index, facts)
        elif kind == SUBQUERY and (query := relation.node("subquery")):
            numbers = range(1, len(query.nodes("targetList")) + 1)
            assumed = {each for each in numbers if facts.path(Column(scope.number, index, each))}
            owned = self.query(query, scope, facts, assumed)
        elif kind == VALUES:
            owned = self._values(relation, scope, facts)
        elif kind == CTE:
            level = scope.up(relation.number("ctelevelsup"))
            owned = level.ctes.get(relation.word("ctename"), ())
        elif kind in (FUNCTION, TABLE_FUNCTION):
            self._walk([relation.items("functions"), relation.node("tablefunc")], scope, facts)
        elif kind != RESULT:
            self.proof.object("reads from a relation that the proof does not know")
        scope.row.add((Column(scope.number, index, each), OWNER) for each in owned)

    def _values(self, relation: Node, scope: Scope, facts: Facts) -> Collection[int]:
        """The columns of VALUES that are the owner's id in each row."""
        rows = relation.items("values_lists")
        self._walk(rows, scope, facts)
        columns = zip(*(row for row in rows if isinstance(row, list)), strict=True)
        return {
            number
            for number, column in enumerate(columns, 1)
            if all(self._is_owner(value, scope, facts) for value in column)
        }

    def _table(self, scope: Scope, index: int, facts: Facts) -> None:
        """Proves that the rows of a table are the owner's."""
        table, owner = self._named(scope, index)
        path = facts.path(Column(scope.number, index, owner)) if owner else []
        if path:
            names = " = ".join(self._spelled(column) for column in path)
            self.proof.bindings.append(Binding(table, names, len(path) == 2))
        elif path is None:
            alias = scope.alias(index)
            name = table if alias == table else f"{table} AS {alias}"
            self.proof.object(f"does not bind {name} to the owner", table)

    def _named(self, scope: Scope, index: int) -> tuple[str, int]:
        """The name of a table, and the number of its owner column; 0 without one."""
        table = self._catalogue.tables.get(scope.relations[index - 1].number("relid"))
        if table is None or not table.is_ours:
            name = table.name if table else "a table"
            self.proof.object(f"names {name}, which is no table of the schema", name)
            return "", 0
        self.proof.tables.add(table.name)
        return table.name, table.owner

    # Equalities

    def _equalities(self, condition: Node | None, scope: Scope) -> Iterator[tuple[Column, Column]]:
        """The equalities that hold wherever the condition does."""
        if condition is None:
            return
        parts = condition.nodes("args")
        if condition.label == "BOOLEXPR" and condition.word("boolop") == "and":
            for part in parts:
                yield from self._equalities(part, scope)
        elif condition.label == "OPEXPR" and condition.number("opno") == EQUALITY:
            left, right = (self._side(part, scope) for part in parts)
            if left and right:
                self._note(parts, (left, right))
                yield left, right

    def _side(self, expression: Value, scope: Scope) -> Column | None:
        if isinstance(expression, Node) and expression.label == "VAR":
            return scope.column(expression)
        return OWNER if self._is_parameter(expression) else None

    def _is_parameter(self, expression: Value) -> bool:
        """Whether it is the owner's parameter; those of other kinds are results of sub-selects."""
        return (
            isinstance(expression, Node)
            and expression.label == "PARAM"
            and expression.number("paramkind") == 0
            and expression.number("paramid") == self._owner
        )

    def _is_owner(self, expression: Value, scope: Scope, facts: Facts) -> bool:
        column = self._side(expression, scope)
        return column is not None and facts.path(column) is not None

    def _note(self, sides: Iterable[Node], columns: Iterable[Column]) -> None:
        """Adds an equality about owners to the proof; the mutation tests remove it."""
        matches = [
            REFERENCE.match(self._text, self._positions[side.number("location")])
            for side in sides
            if side.number("location") >= 0  # not in a view
        ]
        places = [match.span() for match in matches if match]
        about_owners = {self._spelled(column).rpartition(".")[2] for column in columns}
        if len(places) == 2 and about_owners & {OWNER_COLUMN, OWNER_PARAMETER}:
            start, end = min(places)[0], max(places)[1]
            found = Predicate(self._text[start:end], start, end)
            if found not in self.proof.predicates:
                self.proof.predicates.append(found)

    def _spelled(self, column: Column) -> str:
        if column == OWNER:
            return OWNER_PARAMETER
        scope = self._scopes[column.scope - 1]
        return f"{scope.alias(column.relation)}.{scope.column_name(column)}"

    # Writes

    def _changed(self, scope: Scope) -> Collection[int]:
        """Proves the rows that are written; returns the columns of RETURNING that are the owner's.

        RETURNING gives the new row, for which WHERE was not checked, nor that of DO UPDATE for a
        row that is just inserted: only the owner is known of it.
        """
        query, target = scope.query, scope.target
        table, owner = self._named(scope, target)
        self.proof.writes.add(table)
        entries = {each.number("resno"): each.node("expr") for each in query.nodes("targetList")}
        facts = scope.row
        if query.number("commandType") == INSERT:
            facts = scope.outer
            if owner and not self._is_owner(entries.get(owner), scope, scope.row):
                self.proof.object(f"inserts into {table} for another owner", table)
            elif owner:
                column = self._spelled(Column(scope.number, target, owner))
                self.proof.bindings.append(Binding(table, f"{column} := {OWNER_PARAMETER}", True))
            self._conflict(scope, table, owner)
        elif query.number("commandType") == UPDATE:
            self._assigned(scope, query.nodes("targetList"), table, owner, scope.row)
        rows = [Column(scope.number, row, owner) for row in (target, -target) if owner]
        returning = scope.returning(Facts(facts, [(row, OWNER) for row in rows]))
        self._walk(query.items("returningList"), returning, returning.row)
        return self._owned(query.nodes("returningList"), returning, returning.row)

    def _assigned(
        self, scope: Scope, entries: Iterable[Node], table: str, owner: int, facts: Facts
    ) -> None:
        """Objects to an owner column that is set to another id."""
        for entry in entries:
            is_kept = self._is_owner(entry.node("expr"), scope, facts)
            if owner and entry.number("resno") == owner and not is_kept:
                self.proof.object(f"sets the owner of {table} to something else", table)

    def _conflict(self, scope: Scope, table: str, owner: int) -> None:
        """Proves ON CONFLICT DO UPDATE: the existing row must be the owner's, too."""
        conflict = scope.query.node("onConflict")
        if conflict is None:
            return
        elements = conflict.nodes("arbiterElems")
        keys = [each.node("expr") for each in elements if each.number("inferopclass") == 0]
        numbers = {key.number("varattno") for key in keys if key and key.label == "VAR"}
        numbers.update(self._catalogue.constraint_columns(conflict.number("constraint")))
        facts = Facts(scope.row)
        if owner:
            facts.add([(Column(scope.number, conflict.number("exclRelIndex"), owner), OWNER)])
        if owner in numbers:
            facts.add([(Column(scope.number, scope.target, owner), OWNER)])
        facts.add(self._equalities(conflict.node("onConflictWhere"), scope))
        if conflict.number("action") == DO_UPDATE:
            self._table(scope, scope.target, facts)
            self._assigned(scope, conflict.nodes("onConflictSet"), table, owner, facts)
        for name in ("onConflictSet", "onConflictWhere", "arbiterWhere"):
            self._walk(conflict.fields.get(name), scope, facts)
        self._walk([each.node("expr") for each in elements], scope, facts)

    # Expressions

    def _clauses(self, scope: Scope) -> None:
        """Proves the expressions outside FROM, WHERE and RETURNING."""
        given, fields = self._given(scope), scope.query.fields
        for name in ("targetList", "havingQual", "windowClause"):
            self._walk(fields.get(name), scope, given)
        for name in ("groupClause", "groupingSets", "distinctClause", "sortClause"):
            self._walk(fields.get(name), scope, scope.outer)
        for name in ("limitOffset", "limitCount", "withCheckOptions"):
            self._walk(fields.get(name), scope, scope.outer)
        for relation in scope.relations:
            if relation.number("rtekind") in (JOIN, GROUP):
                self._walk(relation.items("joinaliasvars"), scope, scope.row)
                self._walk(relation.items("groupexprs"), scope, scope.row)

    def _walk(self, value: Value, scope: Scope, facts: Facts) -> None:
        """Proves the sub-selects in an expression, and judges all of its nodes."""
        if isinstance(value, list):
            for each in value:
                self._walk(each, scope, facts)
        elif isinstance(value, Node) and value.label == "QUERY":
            self.query(value, scope, facts)
        elif isinstance(value, Node):
            self._judge(value)
            if value.label == "AGGREF":
                facts = scope.row  # it sees the rows that meet WHERE
            for part in value.fields.values():
                self._walk(part, scope, facts)

    def _judge(self, node: Node) -> None:
        if KNOWN.fullmatch(node.label) is None:
            self.proof.object(f"uses {node.label}, which the proof does not know")
        if node.number("agglevelsup"):
            self.proof.object("aggregates the rows of an enclosing query")
        if node.label == "VAR" and (location := node.number("location")) >= 0:
            self.proof.has_star |= bool(STAR.match(self._text, self._positions[location]))
        oids = [each for name in OBJECTS for each in (*node.items(name), node.word(name))]
        if any(
            isinstance(oid, str) and oid.isdecimal() and int(oid) >= FIRST_OWN_OID for oid in oids
        ):
            self.proof.object("uses an operator or a type that is not PostgreSQL's own")
        if node.label in CALLS:
            function = self._catalogue.functions.get(node.number(CALLS[node.label]))
            if function is None:
                self.proof.object("calls a function that is not in the catalogue")
            else:
                self._call(function, node)

    def _call(self, function: Function, node: Node) -> None:
        name, arguments = function.name, node.nodes("args")
        if self._catalogue.writes(function):
            self._effects[f"calls {name}, which writes"] = None
        if function.schema == SYSTEM and EFFECTS.fullmatch(name):
            if any(part.label in ("VAR", "SUBLINK") for part in _parts(node)):
                self.proof.object(f"calls {name} with what it reads", name)
            if name == "set_config" and not self._is_harmless(*arguments[:2]):
                self.proof.object("sets a setting that the proof does not know", name)
        elif not self._catalogue.is_pure(function.oid):
            tables = ", ".join(self._catalogue.touched(function))
            why = f"touches {tables} by itself" if tables else "is not known to read no tables"
            self.proof.object(f"calls {name}, which {why}", name)

    def _is_harmless(self, setting: Node, value: Node) -> bool:
        name = _text_of(setting)
        is_owner = name == OWNER_SETTING and self._is_parameter(value)
        is_fixed = name in FIXED_SETTINGS and FIXED_SETTINGS[name] == _text_of(value)
        return is_owner or is_fixed or SETTINGS.fullmatch(name) is not None


def _positions(statement: Statement[Any]) -> Iterator[int]:
    """For each byte of the query: where it is in the text with the parameters' names."""
    start = 0
    for match in (*PARAMETER.finditer(statement.text), None):
        end = match.start() if match else len(statement.text)
        for index in range(start, end):
            yield from [index] * len(statement.text[index].encode())
        if match:
            number = f"${statement.parameters.index(match[1]) + 1}" if match[1] else "%"
            yield from [end] * len(number)
            start = match.end()


def _order(kind: int) -> tuple[bool, bool]:
    """Tables last, after sub-selects: they are bound by what the others give."""
    return kind == TABLE, kind == SUBQUERY


def _sides(tree: Node | None) -> list[tuple[Node | None, bool]]:
    """The parts of FROM, each with whether an outer join may replace it by nulls."""
    if tree is None or tree.label != "JOINEXPR":
        return [(part, False) for part in tree.nodes("fromlist")] if tree else []
    kind = tree.number("jointype")
    return [(tree.node("larg"), kind in (RIGHT, FULL)), (tree.node("rarg"), kind in (LEFT, FULL))]


def _is_plain(query: Node) -> bool:
    """Whether it makes no difference if a condition on its columns is checked before or after."""
    words = ("hasAggs", "hasWindowFuncs", "hasTargetSRFs", "hasDistinctOn")
    parts = ("limitOffset", "limitCount", "havingQual", "groupClause", "groupingSets", "rowMarks")
    return not any(query.is_set(each) for each in words) and not any(
        query.fields.get(each) for each in parts
    )


def _parts(value: Value) -> Iterator[Node]:
    """All nodes of a part of the tree, itself included."""
    if isinstance(value, Node):
        yield value
        value = list(value.fields.values())
    if isinstance(value, list):
        for each in value:
            yield from _parts(each)


def _text_of(expression: Node) -> str:
    """A constant as text; empty for any other expression."""
    numbers = expression.word("constvalue").split() if expression.label == "CONST" else []
    return bytes(int(number) % 256 for number in numbers[4:]).decode(errors="replace")

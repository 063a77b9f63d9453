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
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg

from app.audit import functions, tree
from app.audit.catalogue import FIRST_OWN_OID, Catalogue, Function, Table
from app.audit.scopes import OWNER, OWNER_COLUMN, OWNER_PARAMETER, Column, Facts, Scope
from app.audit.tree import NOTHING, Node, TreeError, nodes_in
from app.db.statements import PARAMETER, Statement

# Numbers of PostgreSQL's enumerations, as the tree has them.
SELECT, UPDATE, INSERT, DELETE = 1, 2, 3, 4
TABLE, SUBQUERY, FUNCTION, TABLE_FUNCTION, VALUES, CTE, RESULT = 0, 1, 3, 4, 5, 6, 8
INNER, LEFT, FULL, RIGHT = range(4)
DO_UPDATE = 2
EQUALITY = 2972  # the oid of pg_catalog.=(uuid, uuid)

OWNER_SETTING = "app.owner_id"
SETTINGS = re.compile(
    r"""search_path=public|row_security=on|((statement|lock|idle_in_transaction_session)_timeout
    |plan_cache_mode|enable_seqscan|datestyle|intervalstyle|timezone|client_encoding|bytea_output
    |standard_conforming_strings|extra_float_digits|default_transaction_isolation
    |quote_all_identifiers)=.*""",
    re.VERBOSE | re.DOTALL,
)
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
# What a query may not have if a condition on its columns may be checked before it, too.
NOT_PLAIN = (
    "hasAggs", "hasWindowFuncs", "hasTargetSRFs", "hasDistinctOn", "limitOffset", "limitCount",
    "havingQual", "groupClause", "groupingSets", "rowMarks",
)  # fmt: skip

NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
REFERENCE = re.compile(rf"%\(\w+\)s|{NAME}(?:\s*\.\s*{NAME})*")
STAR = re.compile(rf"(?:{NAME}\s*\.\s*)*\*")
TOKEN = re.compile(rf"{PARAMETER.pattern}|.", re.DOTALL)


class Binding(NamedTuple):
    """An occurrence of an owned table, and the equalities that lead from it to the owner."""

    table: str
    path: str


class Predicate(NamedTuple):
    """An equality about an owner column, and its position in the text, as slice indices."""

    text: str
    start: int
    end: int


class Objection(NamedTuple):
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
    prover = _Prover(catalogue, statement.text, statement.parameters)
    try:
        prover.query(catalogue.query_tree(statement.query), None, Facts())
        prover.proof.effects = sorted(prover.effects)
    except psycopg.Error as error:
        prover.proof.object(f"can't be prepared: {str(error).splitlines()[0]}")
    except (TreeError, RecursionError) as error:
        prover.proof.object(f"can't be followed: {error}")
    return prover.proof


def is_pure(function: Function, catalogue: Catalogue) -> bool:
    """Whether it reads nothing but its arguments, settings, the time and chance."""
    if function.is_built_in:
        is_listed = function.kind in ("a", "w") or functions.PURE.fullmatch(function.name)
        return function.volatility == "i" or bool(is_listed)
    if function.computes_defaults:
        return False
    body = tree.read(function.tree) if function.tree else None
    if isinstance(body, Node):  # RETURN, which is proved like a statement that has no owner
        prover = _Prover(catalogue)
        prover.query(body, None, Facts())
        return not (prover.proof.objections or prover.proof.tables or prover.effects)
    called = functions.called(function, catalogue)
    return called is not None and all(is_pure(each, catalogue) for each in called)


class _Prover:
    """The proof of a statement, or of a function's body, which has no text of its own."""

    def __init__(self, catalogue: Catalogue, text: str = "", names: Sequence[str] = ()) -> None:
        self.proof = Proof()
        self.effects: set[str] = set()
        self._catalogue = catalogue
        self._text = text
        self._positions = list(_positions(text, names))
        self._owner = names.index(OWNER_COLUMN) + 1 if OWNER_COLUMN in names else 0

    def query(
        self, node: Node, parent: Scope | None, outer: Facts, assumed: Collection[int] = ()
    ) -> Collection[int]:
        """Proves a query and the queries in it; returns the columns that are the owner's id.

        `assumed` are columns that the enclosing query compares with the owner's id, so that it
        drops the rows in which they are anything else.
        """
        if node.rowMarks:
            self.effects.add("locks rows")
        if node.rowMarks or node.commandType != SELECT:
            outer = Facts()  # it could lock or change rows that the enclosing query drops
        scope = Scope(node, parent, outer, Facts(outer))
        self._with(scope)
        if any(getattr(node, each) not in ("false", NOTHING) for each in NOT_PLAIN):
            assumed = ()
        if node.setOperations:
            return self._set_operation(scope, assumed)
        for entry in node.targetList:
            if entry.resno in assumed and (column := self._side(entry.expr, scope)):
                scope.row.pairs.append((column, OWNER))
        self._from(scope)
        self._clauses(scope)
        if node.commandType != SELECT:
            return self._changed(scope)
        return self._owned(node.targetList, scope, self._given(scope))

    def _with(self, scope: Scope) -> None:
        for cte in scope.query.cteList:
            if cte.cterecursive == "true":
                self.proof.object("uses WITH RECURSIVE, which the proof can't follow")
            scope.ctes[cte.ctename] = self.query(cte.ctequery, scope, scope.outer)

    def _set_operation(self, scope: Scope, assumed: Collection[int]) -> Collection[int]:
        """The columns that are the owner's id in all branches.

        In a view, PostgreSQL 15 has further relations, for OLD and NEW.
        """
        parts = nodes_in(scope.query.setOperations)
        numbers = [part.rtindex for part in parts if part.label == "RANGETBLREF"]
        branches = [scope.query.rtable[number - 1].subquery for number in numbers]
        owned = [set(self.query(each, scope, scope.outer, assumed)) for each in branches]
        self._clauses(scope)
        return set.intersection(*owned)

    def _owned(self, entries: Iterable[Node], scope: Scope, facts: Facts) -> set[int]:
        """The numbers of the columns that are the owner's id."""
        given = (entry for entry in entries if entry.resjunk == "false")
        return {each.resno for each in given if self._is_owner(each.expr, scope, facts)}

    def _given(self, scope: Scope) -> Facts:
        """The facts about what a query gives: one row is given even where none meets WHERE."""
        query = scope.query
        aggregates = query.hasAggs == "true" or query.havingQual
        is_one = query.groupingSets or (aggregates and not query.groupClause)
        return scope.outer if is_one else scope.row

    # Relations

    def _from(self, scope: Scope) -> None:
        """Collects the facts of FROM and WHERE, then proves each relation by them."""
        scope.row.pairs += self._joined(scope.query.jointree, scope)
        places = list(self._places(scope.query.jointree, scope, scope.row))
        # By kinds, so that sub-selects and then tables are last: the others give what binds them.
        places.sort(key=lambda place: -scope.query.rtable[place[0] - 1].rtekind)
        for index, facts in places:
            self._relation(scope, index, facts)

    def _joined(self, part: Node, scope: Scope) -> Iterator[tuple[Column, Column]]:
        """The equalities that hold in each row of a part of FROM."""
        sides = _sides(part)
        if not any(is_nullable for _, is_nullable in sides):
            yield from self._equalities(part.quals, scope)
        for side, is_nullable in sides:
            if not is_nullable:
                yield from self._joined(side, scope)

    def _places(self, part: Node, scope: Scope, facts: Facts) -> Iterator[tuple[int, Facts]]:
        """The number of each relation in FROM, and the facts about those of its rows that matter.

        Rows of a side that an outer join may replace by nulls matter where its ON holds.
        """
        if part.label == "RANGETBLREF":
            yield part.rtindex, facts
            return
        on = Facts(facts, list(self._equalities(part.quals, scope)))
        self._walk(part.quals, scope, on)
        if part.jointype not in (NOTHING, INNER, LEFT, FULL, RIGHT):
            self.proof.object("uses a join that the proof does not know")
        for side, is_nullable in _sides(part):
            about = facts if part.jointype == FULL else on
            known = Facts(about, list(self._joined(side, scope))) if is_nullable else facts
            yield from self._places(side, scope, known)

    def _relation(self, scope: Scope, index: int, facts: Facts) -> None:
        """Proves a relation in FROM; its columns that are the owner's id become facts."""
        relation = scope.query.rtable[index - 1]
        owned: Collection[int] = ()
        if relation.tablesample:
            self.proof.object("uses TABLESAMPLE, which the proof can't follow")
        if relation.rtekind == TABLE:
            self._table(scope, index, facts)
        elif relation.rtekind == SUBQUERY:
            numbers = range(1, len(relation.eref.colnames) + 1)
            assumed = {each for each in numbers if facts.path(scope.at(index, each))}
            owned = self.query(relation.subquery, scope, facts, assumed)
        elif relation.rtekind == VALUES:
            self._walk(relation.values_lists, scope, facts)
            columns = enumerate(zip(*relation.values_lists, strict=True), 1)
            owned = {
                number
                for number, values in columns
                if all(self._is_owner(each, scope, facts) for each in values)
            }
        elif relation.rtekind == CTE:
            owned = scope.up(relation.ctelevelsup).ctes.get(relation.ctename, ())
        elif relation.rtekind in (FUNCTION, TABLE_FUNCTION):
            self._walk([relation.functions, relation.tablefunc], scope, facts)
        elif relation.rtekind != RESULT:
            self.proof.object("reads from a relation that the proof does not know")
        scope.row.pairs += [(scope.at(index, each), OWNER) for each in owned]

    def _table(self, scope: Scope, index: int, facts: Facts) -> None:
        """Proves that the rows of a table are the owner's."""
        table = self._named(scope, index)
        path = facts.path(scope.at(index, table.owner)) if table.owner else []
        if path:
            names = " = ".join(column.name for column in path)
            self.proof.bindings.append(Binding(table.name, names))
        elif path is None:
            alias = scope.query.rtable[index - 1].eref.aliasname
            name = table.name if alias == table.name else f"{table.name} AS {alias}"
            self.proof.object(f"does not bind {name} to the owner", table.name)

    def _named(self, scope: Scope, index: int) -> Table:
        table = self._catalogue.tables[scope.query.rtable[index - 1].relid]
        if table.is_ours:
            self.proof.tables.add(table.name)
            return table
        self.proof.object(f"names {table.name}, which is no table of the schema", table.name)
        return table._replace(owner=0)

    # Equalities

    def _equalities(self, condition: Any, scope: Scope) -> Iterator[tuple[Column, Column]]:
        """The equalities that hold wherever the condition does."""
        if not condition:
            return
        if condition.label == "BOOLEXPR" and condition.boolop == "and":
            for part in condition.args:
                yield from self._equalities(part, scope)
        elif condition.label == "OPEXPR" and condition.opno == EQUALITY:
            left, right = (self._side(part, scope) for part in condition.args)
            if left and right:
                self._note(condition.args)
                yield left, right

    def _side(self, expression: Node, scope: Scope) -> Column | None:
        if expression.label == "VAR":
            return scope.column(expression)
        return OWNER if self._is_parameter(expression) else None

    def _is_parameter(self, expression: Node) -> bool:
        """Whether it is the owner's parameter; those of other kinds are results of sub-selects."""
        found = (expression.label, expression.paramkind, expression.paramid)
        return found == ("PARAM", 0, self._owner)

    def _is_owner(self, expression: Node, scope: Scope, facts: Facts) -> bool:
        column = self._side(expression, scope)
        return column is not None and facts.path(column) is not None

    def _note(self, sides: Iterable[Node]) -> None:
        """Adds an equality about owners to the proof; the mutation tests remove it."""
        spans = [match.span() for side in sides if (match := self._at(side, REFERENCE))]
        start, end = min(spans, default=(0, 0))[0], max(spans, default=(0, 0))[1]
        found = Predicate(self._text[start:end], start, end)
        if len(spans) == 2 and OWNER_COLUMN in found.text and found not in self.proof.predicates:
            self.proof.predicates.append(found)

    def _at(self, node: Node, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What of the text is at the node; None for a node of a view or of a function's body."""
        if 0 <= node.location < len(self._positions):
            return pattern.match(self._text, self._positions[node.location])
        return None

    # Writes

    def _changed(self, scope: Scope) -> Collection[int]:
        """Proves the rows that are written; returns the columns of RETURNING that are the owner's.

        RETURNING gives the new row, for which WHERE was not checked, nor that of DO UPDATE for a
        row that is just inserted: only the owner is known of it.
        """
        query, target = scope.query, scope.query.resultRelation
        table = self._named(scope, target)
        self.proof.writes.add(table.name)
        self.effects.add(f"writes {table.name}")
        if query.commandType == INSERT:
            self._inserted(scope, table)
        elif query.commandType == UPDATE:
            self._assigned(query.targetList, scope, scope.row, table)
        elif query.commandType != DELETE:
            self.proof.object("uses MERGE, which the proof can't follow")
        if query.onConflict:
            self._conflict(query.onConflict, scope, table)
        others = [each for each in scope.row.owned() if each[:2] != (scope.number, target)]
        known = [*others, scope.at(target, table.owner)] if table.owner else others
        facts = Facts(None, [(each, OWNER) for each in known])
        self._walk(query.returningList, scope, facts)
        return self._owned(query.returningList, scope, facts)

    def _inserted(self, scope: Scope, table: Table) -> None:
        """Proves that the owner column of a new row is the owner's id."""
        if table.owner in self._owned(scope.query.targetList, scope, scope.row):
            column = scope.at(scope.query.resultRelation, table.owner).name
            self.proof.bindings.append(Binding(table.name, f"{column} := {OWNER_PARAMETER}"))
        elif table.owner:
            self.proof.object(f"inserts into {table.name} for another owner", table.name)

    def _assigned(self, entries: list[Node], scope: Scope, facts: Facts, table: Table) -> None:
        """Proves that the owner column is not set, or to the owner's id."""
        if table.owner in {each.resno for each in entries} - self._owned(entries, scope, facts):
            self.proof.object(f"sets the owner of {table.name} to something else", table.name)

    def _conflict(self, conflict: Node, scope: Scope, table: Table) -> None:
        """Proves ON CONFLICT DO UPDATE: the existing row must be the owner's, too."""
        target, owner, elements = scope.query.resultRelation, table.owner, conflict.arbiterElems
        keys = {each.expr.varattno for each in elements if each.inferopclass == 0}
        keys |= self._catalogue.constraint_columns(conflict.constraint)
        same = {conflict.exclRelIndex, target} if owner in keys else {conflict.exclRelIndex}
        facts = Facts(scope.row, [(scope.at(each, owner), OWNER) for each in same if owner])
        facts.pairs += self._equalities(conflict.onConflictWhere, scope)
        if conflict.action == DO_UPDATE:
            self._table(scope, target, facts)
            self._assigned(conflict.onConflictSet, scope, facts, table)
        for part in (conflict.onConflictSet, conflict.onConflictWhere, conflict.arbiterWhere):
            self._walk(part, scope, facts)
        self._walk([each.expr for each in elements], scope, facts)

    # Expressions

    def _clauses(self, scope: Scope) -> None:
        """Proves the expressions outside FROM, WHERE and RETURNING."""
        query, given = scope.query, self._given(scope)
        sorts = (query.groupClause, query.groupingSets, query.distinctClause, query.sortClause)
        self._walk([query.targetList, query.havingQual, query.windowClause, *sorts], scope, given)
        limits = [query.limitOffset, query.limitCount, query.withCheckOptions]  # are of no row
        self._walk(limits, scope, scope.outer)
        for relation in query.rtable:
            self._walk([*relation.joinaliasvars, *relation.groupexprs], scope, scope.row)

    def _walk(self, value: Any, scope: Scope, facts: Facts) -> None:
        """Proves the sub-selects in an expression, and judges all of its nodes."""
        if isinstance(value, list):
            for each in value:
                self._walk(each, scope, facts)
        elif isinstance(value, Node) and value.label == "QUERY":
            self.query(value, scope, facts)
        elif isinstance(value, Node):
            self._judge(value)
            inner = scope.row if value.label == "AGGREF" else facts  # of rows that meet WHERE
            self._walk(list(value.fields.values()), scope, inner)

    def _judge(self, node: Node) -> None:
        if KNOWN.fullmatch(node.label) is None:
            self.proof.object(f"uses {node.label}, which the proof does not know")
        if node.agglevelsup:
            self.proof.object("aggregates the rows of an enclosing query")
        if node.label == "VAR" and self._at(node, STAR):
            self.proof.has_star = True
        given = [node.paramtype] if self._text else []  # a value of a domain is checked
        oids = [*node.opnos, node.opno, node.eqop, node.sortop, *given]
        if any(isinstance(each, int) and each >= FIRST_OWN_OID for each in oids):
            self.proof.object("uses an operator or a type that is not PostgreSQL's own")
        if node.label in CALLS:
            function = self._catalogue.functions.get(getattr(node, CALLS[node.label]))
            if function is None:
                self.proof.object("calls a function that is not in the catalogue")
            else:
                self._call(function, node)

    def _call(self, function: Function, node: Node) -> None:
        name = function.name
        if function.is_built_in and functions.EFFECTS.fullmatch(name):
            varying = ("VAR", "SUBLINK") if self._text else ("VAR", "SUBLINK", "PARAM")
            if any(part.label in varying for part in nodes_in(node)):
                self.proof.object(f"calls {name} with what it reads", name)
            if name == "set_config" and not self._is_harmless(*node.args[:2]):
                self.proof.object("sets a setting that the proof does not know", name)
        elif not is_pure(function, self._catalogue):
            tables = functions.touched(function, self._catalogue)
            if function.volatility == "v":
                self.effects.add(f"calls {name}, which may write")
            why = f"touches {', '.join(tables)} by itself" if tables else "could read tables"
            self.proof.object(f"calls {name}, which {why}", name)

    def _is_harmless(self, setting: Node, value: Node) -> bool:
        name = _text_of(setting)
        is_owner = name == OWNER_SETTING and self._is_parameter(value)
        return is_owner or SETTINGS.fullmatch(f"{name}={_text_of(value)}") is not None


def _positions(text: str, parameters: Sequence[str]) -> Iterator[int]:
    """For each byte of the query that is sent: where it is in the text, which has names."""
    for match in TOKEN.finditer(text):
        sent = f"${parameters.index(match[1]) + 1}" if match[1] else match[0][-1]
        yield from [match.start()] * len(sent.encode())


def _sides(part: Node) -> list[tuple[Node, bool]]:
    """The parts of a part of FROM, each with whether an outer join may replace it by nulls."""
    if part.label != "JOINEXPR":
        return [(each, False) for each in part.fromlist]
    kind = part.jointype
    return [(part.larg, kind in (RIGHT, FULL)), (part.rarg, kind in (LEFT, FULL))]


def _text_of(expression: Node) -> str:
    """A constant as text; empty for any other expression."""
    value: bytes = expression.constvalue or b""
    return value[4:].decode(errors="replace")

"""The ownership proof: every owned table of a statement is bound to %(owner_id)s.

The statement is parsed, and its names are resolved by PostgreSQL's rules. Equalities that hold for
every row of a result (conjuncts of WHERE and of an inner join's ON) are facts; a relation is bound
when facts lead from its owner column to the parameter. The proof is conservative: it refuses
whatever it can't follow.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from app.audit.catalogue import OWNER_COLUMN, Catalogue
from app.audit.facts import OWNER, Facts, Node, Relation, Scope, folded

Outputs: TypeAlias = list[tuple[str, bool]] | None  # names, and whether each is the owner's id
Environment: TypeAlias = Mapping[str, Outputs]  # the CTEs in sight

QUERIES = (exp.Select, exp.SetOperation, exp.Insert, exp.Update, exp.Delete)

# PostgreSQL's own functions that read nothing but their arguments. Others could run a query that
# is given as text (query_to_xml, ts_stat, dblink), so new ones are added by hand.
PURE_FUNCTIONS = frozenset(
    """
    all any array_to_json clock_timestamp concat current_setting gen_random_uuid greatest
    has_schema_privilege has_table_privilege hashtextextended json_agg json_build_array
    json_build_object json_object json_to_recordset jsonb_array_elements jsonb_build_object
    jsonb_to_recordset least left make_interval num_nonnulls octet_length pg_advisory_xact_lock
    pg_backend_pid pg_get_triggerdef pg_try_advisory_xact_lock row_security_active set_config
    sha256 to_char to_regclass trim_array
    """.split()  # noqa: SIM905
)


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
    has_plan: bool = False  # can be explained


def prove(text: str, catalogue: Catalogue) -> Proof:
    """The proof for one statement, written with psycopg's %(name)s parameters."""
    try:
        statements = sqlglot.parse(text, dialect="postgres")
    except SqlglotError as error:
        return Proof(objections=[Objection(f"can't be parsed: {str(error).splitlines()[0]}")])
    if len(statements) != 1 or not isinstance(statements[0], QUERIES):
        return Proof(objections=[Objection("is not one SELECT, INSERT, UPDATE or DELETE")])
    prover = _Prover(text, catalogue)
    prover.query(statements[0], {}, None)
    prover.object_to_unread(statements[0])
    prover.proof.effects = list(dict.fromkeys(_effects(statements[0], catalogue)))
    return prover.proof


def _effects(root: exp.Expr, catalogue: Catalogue) -> Iterator[str]:
    for write in root.find_all(exp.Insert, exp.Update, exp.Delete):
        yield f"writes {write.this.find(exp.Table).name}"
    if root.find(exp.Lock):
        yield "locks rows"
    for call in root.find_all(exp.Anonymous):
        if call.name.lower() in catalogue.writers:
            yield f"calls {call.name.lower()}, which writes"


class _Prover:
    def __init__(self, text: str, catalogue: Catalogue) -> None:
        self.proof = Proof(has_plan=True)
        self._text = text
        self._catalogue = catalogue
        self._aliases = {0: ""}
        self._read: set[int] = set()

    def query(self, node: exp.Expr, environment: Environment, parent: Scope | None) -> Outputs:
        """Proves a query and the queries in it; returns its columns."""
        environment = self._with(node, environment, parent)
        if isinstance(node, exp.Subquery) and not node.args.get("joins"):
            self._expressions([node], environment, parent, ("order", "limit", "offset"))
            return self.query(node.this, environment, parent)
        if isinstance(node, exp.Select):
            return self._select(node, environment, parent)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, environment, parent)
        if isinstance(node, exp.Insert):
            return self._insert(node, environment, parent)
        if isinstance(node, exp.Update | exp.Delete):
            return self._change(node, environment, parent)
        self._object(f"uses {node.key.upper()}, which the proof can't follow")
        return None

    def object_to_unread(self, root: exp.Expr) -> None:
        """Objects to tables and functions that the proof has passed over."""
        for table in root.find_all(exp.Table):
            if id(table) not in self._read:
                self._object(f"names {table.sql('postgres')} where the proof can't follow")
        for call in root.find_all(exp.Anonymous):
            self._check_function(call.name.lower())
        if root.find(exp.Into, exp.Command, exp.Merge):
            self._object("does something that the proof can't follow")

    def _check_function(self, name: str) -> None:
        if self._catalogue.functions.get(name):
            tables = ", ".join(sorted(self._catalogue.functions[name]))
            self._object(f"calls {name}, which touches {tables} by itself", name)
        elif name not in self._catalogue.functions and name not in PURE_FUNCTIONS:
            self._object(f"calls {name}, which is not known to read no tables", name)

    # Queries

    def _with(self, node: exp.Expr, environment: Environment, parent: Scope | None) -> Environment:
        clause = node.args.get("with_")
        if clause is None:
            return environment
        if clause.args.get("recursive"):
            self._object("uses WITH RECURSIVE, which the proof can't follow")
        seen = dict(environment)
        for cte in clause.expressions:
            outputs = self.query(cte.this, seen, parent)
            seen[folded(cte.args["alias"].this)] = _renamed(outputs, cte.args["alias"])
        return seen

    def _select(self, node: exp.Select, environment: Environment, parent: Scope | None) -> Outputs:
        scope = Scope(parent)
        source = node.args.get("from_")
        if source is not None:
            self._sources(source.this, node.args.get("joins") or [], scope, environment)
        for lock in node.args.get("locks") or []:  # FOR UPDATE OF names what FROM has named
            self._read.update(id(name) for name in lock.expressions)
        self._prove_scope(node, scope, environment)
        self._expressions(
            [node],
            environment,
            scope,
            ("expressions", "where", "group", "having", "order", "limit", "offset", "distinct"),
        )
        return self._outputs(node.expressions, scope)

    def _set_operation(
        self, node: exp.SetOperation, environment: Environment, parent: Scope | None
    ) -> Outputs:
        left = self.query(node.this, environment, parent)
        right = self.query(node.expression, environment, parent)
        self._expressions([node], environment, parent, ("order", "limit", "offset"))
        if left is None or right is None or len(left) != len(right):
            return None
        return [
            (name, mine and other) for (name, mine), (_, other) in zip(left, right, strict=True)
        ]

    def _change(
        self, node: exp.Update | exp.Delete, environment: Environment, parent: Scope | None
    ) -> Outputs:
        """An UPDATE or a DELETE."""
        scope = Scope(parent)
        target = self._target(node.this, scope)
        for source in _sources_of(node):
            self._sources(source, source.args.get("joins") or [], scope, environment)
        self._prove_scope(node, scope, environment)
        if isinstance(node, exp.Update):
            self._assignments(node.expressions, target, scope)
        self._expressions([node], environment, scope, ("expressions", "where", "returning"))
        returning = node.args.get("returning")
        return self._outputs(returning.expressions, scope) if returning else []

    def _insert(self, node: exp.Insert, environment: Environment, parent: Scope | None) -> Outputs:
        into = node.this
        table = into.this if isinstance(into, exp.Schema) else into
        columns = [folded(column) for column in into.expressions] if into is not table else []
        scope = Scope(parent)
        target = self._target(table, scope)
        rows = self._inserted(node.expression, environment, parent)
        conflict = node.args.get("conflict")
        if conflict is not None:
            self._conflict(conflict, target, scope, environment)
        self._check_inserted(target, columns, rows, scope)
        self._expressions([node], environment, scope, ("returning",))
        returning = node.args.get("returning")
        return self._outputs(returning.expressions, scope) if returning else []

    # Relations

    def _sources(
        self,
        first: exp.Expr,
        joins: Sequence[exp.Join],
        scope: Scope,
        environment: Environment,
    ) -> None:
        """Adds the relations of FROM or USING, and as facts the equalities of inner joins."""
        self._add(first, scope, environment)
        for join in joins:
            before = list(scope.relations.values())
            joined = self._add(join.this, scope, environment)
            condition, side = join.args.get("on"), join.side
            if (
                join.method
                or join.args.get("using")
                or join.kind not in ("", "INNER", "CROSS", "OUTER")
            ):
                continue
            if condition is not None and side == "":
                scope.facts.add(self._equalities(condition, scope))
            elif condition is not None and side == "LEFT" and joined is not None:
                joined.conditions.append(condition)
            elif condition is not None and side == "RIGHT":
                for relation in before:
                    relation.conditions.append(condition)
            self._expressions([join], environment, scope, ("on",))

    def _add(self, source: exp.Expr, scope: Scope, environment: Environment) -> Relation | None:
        if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
            return self._table(source, scope, environment)
        alias = source.args.get("alias")
        if isinstance(source, exp.Subquery) and isinstance(source.this, QUERIES):
            outputs = _renamed(self.query(source, environment, scope.parent), alias)
            return self._derived(source.alias, outputs, scope)
        if isinstance(source, exp.Lateral) and isinstance(source.this, exp.Subquery):
            relation = self._relation(_name_of(alias), _lateral_columns(source), scope)
            relation.query = source
            return relation
        if isinstance(source, exp.Table | exp.Lateral | exp.Unnest | exp.Values):
            self._read.add(id(source))
            self._expressions(source.args.values(), environment, scope)
            return self._relation(_name_of(alias), _alias_columns(alias), scope)
        self._object(f"reads from {source.sql('postgres')}, which the proof can't follow")
        return None

    def _table(self, source: exp.Table, scope: Scope, environment: Environment) -> Relation | None:
        name, alias = folded(source.this), source.args.get("alias")
        if not source.args.get("db") and name in environment:
            self._read.add(id(source))
            outputs = _renamed(environment[name], alias)
            return self._derived(_name_of(alias) or name, outputs, scope)
        return self._base_table(source, scope)

    def _target(self, table: exp.Expr, scope: Scope) -> Relation | None:
        """The table that is written to; PostgreSQL does not look for a CTE of that name."""
        relation = self._base_table(table, scope)
        self.proof.writes.add(folded(table.this))
        return relation

    def _base_table(self, source: exp.Expr, scope: Scope) -> Relation | None:
        name, alias = folded(source.this), source.args.get("alias")
        schema = source.args.get("db")
        known = schema is None or (folded(schema) == "public" and not source.args.get("catalog"))
        if not known or name not in self._catalogue.tables:
            unknown = source.sql("postgres")
            self._object(f"names {unknown}, which the migrations don't create", unknown)
            self._read.add(id(source))
            return None
        self._read.add(id(source))
        self.proof.tables.add(name)
        columns = None if _alias_columns(alias) else self._catalogue.tables[name]
        relation = self._relation(_name_of(alias) or name, columns, scope)
        relation.table = name if self._catalogue.owner_column(name) else None
        return relation

    def _derived(self, alias: str, outputs: Outputs, scope: Scope) -> Relation:
        """A CTE or a sub-select; its columns that are equal to the owner's id become facts."""
        relation = self._relation(alias, None, scope)
        self._describe(relation, outputs, scope)
        return relation

    def _describe(self, relation: Relation, outputs: Outputs, scope: Scope) -> None:
        if outputs is None:
            relation.columns = None
            return
        relation.columns = tuple(name for name, _ in outputs)
        unbound = {name for name, bound in outputs if not bound}
        scope.facts.add(((relation.number, name), OWNER) for name in {*relation.columns} - unbound)

    def _relation(self, alias: str, columns: tuple[str, ...] | None, scope: Scope) -> Relation:
        number = len(self._aliases)
        if alias in scope.relations:
            self._object(f"has two relations called {alias}")
        self._aliases[number] = alias
        scope.relations[alias or f"#{number}"] = Relation(number, alias, columns)
        return scope.relations[alias or f"#{number}"]

    # Facts and conclusions

    def _prove_scope(self, node: exp.Expr, scope: Scope, environment: Environment) -> None:
        where = node.args.get("where")
        if where is not None:
            scope.facts.add(self._equalities(where.this, scope))
        for relation in list(scope.relations.values()):
            if relation.query is not None:
                self._lateral(relation, scope, environment)
        for relation in scope.relations.values():
            if relation.table is not None:
                self._check_bound(relation, relation.table, scope)

    def _lateral(self, relation: Relation, scope: Scope, environment: Environment) -> None:
        """Proves a LATERAL sub-select, which can name the relations to its left."""
        around = Scope(scope.parent, scope.facts)
        for other in scope.relations.values():
            if other is relation:
                break
            around.relations[other.alias] = other
        outputs = self.query(relation.query.this, environment, around)  # type: ignore[union-attr]
        outputs = _renamed(outputs, relation.query.args.get("alias"))  # type: ignore[union-attr]
        self._describe(relation, outputs, scope)

    def _check_bound(self, relation: Relation, table: str, scope: Scope) -> None:
        facts = Facts(scope.facts)
        for condition in relation.conditions:
            facts.add(self._equalities(condition, scope))
        column = self._catalogue.owner_column(table) or ""
        path = facts.path((relation.number, column)) if relation.columns else None
        if path is None:
            name = table if relation.alias == table else f"{table} AS {relation.alias}"
            self._object(f"does not bind {name} to the owner", table)
        else:
            self.proof.bindings.append(Binding(table, self._spelled(path), len(path) == 2))

    def _equalities(self, condition: exp.Expr, scope: Scope) -> Iterator[tuple[Node, Node]]:
        """The equalities that hold wherever the condition does."""
        if isinstance(condition, exp.And):
            yield from self._equalities(condition.this, scope)
            yield from self._equalities(condition.expression, scope)
        elif isinstance(condition, exp.Paren):
            yield from self._equalities(condition.this, scope)
        elif isinstance(condition, exp.EQ):
            left = self._side(condition.this, scope)
            right = self._side(condition.expression, scope)
            if left is not None and right is not None:
                self._note(condition, left, right)
                yield left, right

    def _side(self, side: exp.Expr, scope: Scope) -> Node | None:
        if isinstance(side, exp.Column):
            return scope.node(side)
        return OWNER if _is_owner(side) else None

    def _note(self, equality: exp.EQ, *nodes: Node) -> None:
        """Adds an equality about owners to the proof; the mutation tests remove it."""
        if not any(node == OWNER or node[1] == OWNER_COLUMN for node in nodes):
            return
        places = [part.meta for part in equality.find_all(exp.Identifier) if "start" in part.meta]
        start = min(place["start"] for place in places)
        end = max(place["end"] for place in places) + 1
        if isinstance(equality.this, exp.Placeholder):
            start -= len("%(")
        if isinstance(equality.expression, exp.Placeholder):
            end += len(")s")
        found = Predicate(self._text[start:end], start, end)
        if found not in self.proof.predicates:
            self.proof.predicates.append(found)

    def _outputs(self, expressions: Sequence[exp.Expr], scope: Scope) -> Outputs:
        if any(each.is_star for each in expressions):
            return None
        return [(_output_name(each), self._is_bound(each, scope)) for each in expressions]

    def _is_bound(self, expression: exp.Expr, scope: Scope) -> bool:
        node = self._side(expression.unalias(), scope)
        return node is not None and scope.facts.path(node) is not None

    # Writes

    def _assignments(
        self, expressions: Sequence[exp.Expr], target: Relation | None, scope: Scope
    ) -> None:
        """Objects to an owner column that is set to another id."""
        owner = target and target.table and self._catalogue.owner_column(target.table)
        for assignment in expressions:
            named = {folded(column.this) for column in assignment.this.find_all(exp.Column)}
            kept = not isinstance(assignment.this, exp.Tuple) and self._is_bound(
                assignment.expression, scope
            )
            if owner in named and not kept:
                self._object(f"sets {owner} of {target.table} to something else")  # type: ignore[union-attr]

    def _inserted(
        self, source: exp.Expr | None, environment: Environment, parent: Scope | None
    ) -> list[list[bool]]:
        """Which values are the owner's id: a list per row of VALUES, or one for a query."""
        if isinstance(source, exp.Values):
            self._expressions(source.expressions, environment, parent)
            empty = Scope(parent)
            return [
                [self._is_bound(value, empty) for value in row.expressions]
                for row in source.expressions
            ]
        if source is None:
            return [[]]
        outputs = self.query(source, environment, parent)
        return [[bound for _, bound in outputs or []]]

    def _check_inserted(
        self,
        target: Relation | None,
        columns: list[str],
        rows: list[list[bool]],
        scope: Scope,
    ) -> None:
        if target is None or target.table is None:
            return
        owner = self._catalogue.owner_column(target.table) or ""
        place = columns.index(owner) if owner in columns else None
        if place is None or not all(len(row) > place and row[place] for row in rows):
            self._object(f"inserts into {target.table} for another owner", target.table)
            return
        scope.facts.add([((target.number, owner), OWNER)])
        path = f"{target.table}.{owner} := {OWNER[1]}"
        self.proof.bindings.append(Binding(target.table, path, True))

    def _conflict(
        self,
        conflict: exp.Expr,
        target: Relation | None,
        scope: Scope,
        environment: Environment,
    ) -> None:
        """Proves ON CONFLICT DO UPDATE: the existing row must be the owner's, too."""
        keys = {key.this.name for key in conflict.args.get("conflict_keys") or []}
        if target is None or not conflict.expressions:
            return
        owner = self._catalogue.owner_column(target.table or "")
        excluded = self._relation("excluded", target.columns, scope)
        if owner:
            scope.facts.add([((excluded.number, owner), OWNER)])
        if owner in keys:
            scope.facts.add([((target.number, owner or ""), OWNER)])
        where = conflict.args.get("where")
        if where is not None:
            scope.facts.add(self._equalities(where.this, scope))
        if target.table is not None:
            self._check_bound(target, target.table, scope)
        self._assignments(conflict.expressions, target, scope)
        self._expressions([conflict], environment, scope, ("expressions", "where"))

    # Statements that are not queries

    def _expressions(
        self,
        roots: Iterable[object],
        environment: Environment,
        scope: Scope | None,
        names: Sequence[str] = (),
    ) -> None:
        """Proves the sub-selects in the named parts of each root, or in all of it."""
        for root in roots:
            parts = (
                [root.args.get(name) for name in names]
                if isinstance(root, exp.Expr) and names
                else [root]
            )
            for query in _queries_in(parts):
                self.query(query, environment, scope)

    def _spelled(self, path: Sequence[Node]) -> str:
        names = [f"{self._aliases[number]}.{name}" if number else name for number, name in path]
        return " = ".join(names)

    def _object(self, text: str, subject: str = "") -> None:
        objection = Objection(text, subject)
        if objection not in self.proof.objections:
            self.proof.objections.append(objection)


def _queries_in(part: object) -> Iterator[exp.Expr]:
    """The outermost queries below a part of the tree."""
    if isinstance(part, QUERIES):
        yield part
    elif isinstance(part, exp.Expr):
        for value in part.args.values():
            yield from _queries_in(value)
    elif isinstance(part, list):
        for value in part:
            yield from _queries_in(value)


def _sources_of(node: exp.Expr) -> list[exp.Expr]:
    source = node.args.get("from_")
    return [source.this] if source is not None else list(node.args.get("using") or [])


def _name_of(alias: exp.Expr | None) -> str:
    return folded(alias.this) if alias is not None and alias.this is not None else ""


def _alias_columns(alias: exp.Expr | None) -> tuple[str, ...] | None:
    names = alias.args.get("columns") if alias is not None else None
    return tuple(folded(name) for name in names) if names else None


def _output_name(expression: exp.Expr) -> str:
    """The name of a query's column; empty where it can't be referred to by name."""
    if isinstance(expression, exp.Alias):
        return folded(expression.args["alias"])
    return folded(expression.this) if isinstance(expression, exp.Column) else ""


def _lateral_columns(lateral: exp.Expr) -> tuple[str, ...] | None:
    """Its columns' names, before its sub-select has been proved; None where unknown."""
    selects = lateral.this.this.selects
    if any(each.is_star for each in selects):
        return None
    outputs = _renamed([(_output_name(each), False) for each in selects], lateral.args.get("alias"))
    return tuple(name for name, _ in outputs or [])


def _renamed(outputs: Outputs, alias: exp.Expr | None) -> Outputs:
    """`AS name (a, b)` renames the first columns, in order."""
    names = _alias_columns(alias)
    if outputs is None or names is None:
        return outputs
    kept = [(name, bound) for name, (_, bound) in zip(names, outputs, strict=False)]
    return kept + outputs[len(names) :]


def _is_owner(expression: exp.Expr) -> bool:
    if isinstance(expression, exp.Cast) and expression.to.is_type("uuid"):
        expression = expression.this
    return isinstance(expression, exp.Placeholder) and expression.name == OWNER_COLUMN

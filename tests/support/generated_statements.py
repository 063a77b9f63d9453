"""Random statements from the grammar of joins, sub-selects, CTEs, predicates and writes.

Most tables get a predicate on their owner, in one of several ways and not always the right one, so
that about half of the statements are bound. What a statement gives does not depend on the order of
rows, and sub-selects that give a value are aggregates, which give one row. Hypothesis draws a seed
and not each choice, as it would repeat most of its choices.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

OWNER = "%(owner_id)s"
UUIDS, IDS, NUMBERS, TEXTS = "owner", "id", "number", "text"  # the kinds of columns
Columns = Mapping[str, Sequence[str]]

TABLES: Mapping[str, Columns] = {
    "tasks": {UUIDS: ["owner_id"], IDS: ["id"], NUMBERS: ["version"], TEXTS: ["title"]},
    "ledgers": {UUIDS: ["owner_id"], NUMBERS: ["version"]},
    "ledger_entries": {UUIDS: ["owner_id"], NUMBERS: ["version"], TEXTS: ["request_id"]},
    "sessions": {UUIDS: ["owner_id"], IDS: ["id"], TEXTS: ["user_agent"]},
    "idempotency_keys": {UUIDS: ["owner_id"], TEXTS: ["body", "key"]},
    "users": {UUIDS: ["id"], TEXTS: ["email"]},
    "known_addresses": {UUIDS: ["owner_id"]},
    "ended_sessions": {IDS: ["session_id"]},
    "audit_changes": {UUIDS: ["owner_id"], NUMBERS: ["version"], TEXTS: ["email"]},
    "audit_open_sessions": {UUIDS: ["owner_id"], TEXTS: ["user_agent"]},
    "items": {UUIDS: ["owner_id"], IDS: ["id"], NUMBERS: ["version"], TEXTS: ["kind"]},
}
JOINS = ["INNER", "INNER", "LEFT", "LEFT", "RIGHT", "FULL"]


class Relation(NamedTuple):
    """A relation of FROM."""

    alias: str
    columns: Columns
    is_table: bool = False

    def of_kind(self, kind: str) -> list[str]:
        """Its columns of that kind, with its alias."""
        return [f"{self.alias}.{name}" for name in self.columns.get(kind, ())]


NOTHING: tuple[str, list[Relation], list[str]] = ("", [], [])  # no FROM


@st.composite
def statements(draw: st.DrawFn) -> str:
    """The text of one statement, with psycopg's parameters."""
    return _Grammar(draw(st.randoms(use_true_random=True))).statement()


class _Grammar:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._count = 0
        self._ctes: list[Relation] = []
        self._is_free = False  # within a sub-select that only the enclosing query binds, if at all

    def statement(self) -> str:
        ctes = [self.cte() for _ in range(self.pick([0, 0, 0, 1, 2]))]
        kinds = [self.select] * 6 + [self.update, self.delete, self.insert, self.set_operation]
        main = self.pick(kinds)(2, ())[0]
        return f"WITH {', '.join(ctes)} {main}" if ctes else main

    def cte(self) -> str:
        kinds = [self.select] * 4 + [self.set_operation, self.delete, self.update, self.insert]
        text, columns = self.pick(kinds)(1, ())
        name = self.name("w")
        self._ctes.append(Relation(name, columns))
        return f"{name} AS {self.pick(['', '', 'MATERIALIZED '])}({text})"

    # Queries: each gives its text and its columns

    def select(self, depth: int, outer: Sequence[Relation]) -> tuple[str, Columns]:
        source, relations, bound = self.sources(depth, outer)
        shapes = ["plain"] * 5 + ["distinct", "grouped", "one row", "window", "locked"]
        shapes += ["one row"] * 8 * bool(outer) + ["window", "window"] * self._is_free
        shape = self.pick(shapes)
        bound += self.noise(depth, relations, outer)
        around = [name for each in outer for name in each.of_kind(UUIDS)]
        if shape == "one row" and around and self.chance(60):
            bound.append(f"{self.pick(around)} = {OWNER}")
        where = self.all_of(bound)
        selected = self.selected(shape, depth, relations, outer)
        names = [f"c{number}" for number in range(1, len(selected) + 1)]
        columns: dict[str, list[str]] = {}
        for name, (kind, _) in zip(names, selected, strict=True):
            columns.setdefault(kind, []).append(name)
        listed = ", ".join(
            f"{text} AS {name}" for name, (_, text) in zip(names, selected, strict=True)
        )
        text = f"SELECT {'DISTINCT ' if shape == 'distinct' else ''}{listed} FROM {source}{where}"
        if shape == "grouped":
            plain = [text for kind, text in selected if not text.startswith(("count", "max"))]
            text += f" GROUP BY {', '.join(plain)}"
        if shape in ("grouped", "one row") and self.chance(20):
            text += f" HAVING {self.pick(['count(*) >= 0', 'TRUE', self.exists(depth, outer)])}"
        if shape == "locked" and not outer:
            return f"{text} FOR UPDATE", columns
        if self.chance(40 if self._is_free else 15):
            text += f" ORDER BY {', '.join(names)} LIMIT {self.pick(['1', '3', '9'])}"
        return text, columns

    def selected(
        self, shape: str, depth: int, relations: Sequence[Relation], outer: Sequence[Relation]
    ) -> list[tuple[str, str]]:
        """The expressions of a select list, each after its kind."""
        own = [
            (kind, name)
            for relation in relations
            for kind in (UUIDS, IDS, NUMBERS, TEXTS)
            for name in relation.of_kind(kind)
        ]
        around = [(UUIDS, name) for relation in outer for name in relation.of_kind(UUIDS)]
        found = [self.pick(own) for _ in range(self.pick([1, 2, 3]))]
        found += [(UUIDS, name) for relation in relations for name in relation.of_kind(UUIDS)[:1]]
        if around and self.chance(30):
            found.append(self.pick(around))
        found = list(dict.fromkeys(found))
        if shape == "one row":
            values = [self.pick([("count(*)", NUMBERS), *((f"max({name})", TEXTS) for kind, name
                                 in own if kind == TEXTS)]) for _ in range(2)]  # fmt: skip
            found = [(kind, text) for text, kind in values]
            found += [self.pick(around)] if around else []
            if self.chance(75):
                found.append(self.value(0, outer, is_close=True))
            return found
        if shape == "grouped":
            return [*found, (NUMBERS, "count(*)")]
        if shape == "window":
            window = self.pick(["", f"PARTITION BY {self.pick(own)[1]}"])
            return [*found, (NUMBERS, f"count(*) OVER ({window})")]
        if self.chance(25) and shape == "plain":
            found.append(self.value(depth, [*outer, *relations]))
        return found

    def set_operation(self, _: int, outer: Sequence[Relation]) -> tuple[str, Columns]:
        parts = []
        for _ in range(self.pick([2, 2, 3])):
            source, relations, bound = self.sources(0, outer, 1)
            owners = [*relations[0].of_kind(UUIDS)] * 3 + [f"{OWNER}::uuid", "%(other)s::uuid"]
            owner = self.pick(owners)
            text = self.pick([*relations[0].of_kind(TEXTS), "'none'"])
            parts.append(f"SELECT {owner} AS c1, {text} AS c2 FROM {source}{self.all_of(bound)}")
        operators = ["UNION ALL", "UNION", "INTERSECT", "EXCEPT"]
        text = parts[0] + "".join(f" {self.pick(operators)} {part}" for part in parts[1:])
        if self.chance(15):
            text += " ORDER BY c1, c2 LIMIT 3"
        return text, {UUIDS: ["c1"], TEXTS: ["c2"]}

    def value(
        self, depth: int, outer: Sequence[Relation], *, is_close: bool = False
    ) -> tuple[str, str]:
        """A sub-select that gives one value, and its kind; a close one is bound by rows around."""
        was_free, self._is_free = self._is_free, is_close or self._is_free
        source, relations, bound = self.sources(depth - 1, outer, 1)
        self._is_free = was_free
        where = self.all_of([*bound, *self.noise(0, relations, outer)])
        texts = relations[0].of_kind(TEXTS)
        if texts and self.chance(60):
            return TEXTS, f"(SELECT max({self.pick(texts)}) FROM {source}{where})"
        return NUMBERS, f"(SELECT count(*) FROM {source}{where})"

    def exists(self, depth: int, outer: Sequence[Relation]) -> str:
        source, relations, bound = self.sources(depth - 1, outer, 1)
        where = self.all_of([*bound, *self.noise(0, relations, outer)])
        return f"{self.pick(['', '', 'NOT '])}EXISTS (SELECT FROM {source}{where})"

    # Writes

    def update(self, depth: int, _: Sequence[Relation]) -> tuple[str, Columns]:
        if self.chance(30):
            new = self.pick(["%(other)s", OWNER, "ended_sessions.session_id"])
            text = f"UPDATE ended_sessions SET session_id = {new} WHERE session_id = {OWNER}"
            target, value = Relation("ended_sessions", {UUIDS: ["session_id"]}), self.value
            return f"{text} RETURNING session_id AS c1, {value(0, [target])[1]} AS c2", {
                IDS: ["c1"]
            }
        target = Relation(self.name("t"), TABLES["sessions"])
        source, relations, bound = self.sources(depth, ()) if self.chance(50) else NOTHING
        known = [target, *relations]
        new = self.pick(["'new'", f"{target.alias}.user_agent", f"{self.value(0, known)[1]}::text"])
        away = self.pick(["", "", "", f", owner_id = {OWNER}", ", owner_id = %(other)s"])
        where = self.all_of(
            [*bound, *self.binding(target, relations), *self.noise(depth, known, ())]
        )
        text = f"UPDATE sessions AS {target.alias} SET user_agent = {new}{away}"
        return self.returning(f"{text}{f' FROM {source}' if source else ''}{where}", target)

    def delete(self, depth: int, _: Sequence[Relation]) -> tuple[str, Columns]:
        table = self.pick(["sessions", "idempotency_keys", "tasks"])
        target = Relation(self.name("t"), TABLES[table])
        source, relations, bound = self.sources(depth, ()) if self.chance(50) else NOTHING
        known = [target, *relations]
        where = self.all_of(
            [*bound, *self.binding(target, relations), *self.noise(depth, known, ())]
        )
        text = f"DELETE FROM {table} AS {target.alias}"
        return self.returning(f"{text}{f' USING {source}' if source else ''}{where}", target)

    def insert(self, depth: int, _: Sequence[Relation]) -> tuple[str, Columns]:
        table, column = "known_addresses", "owner_id"
        if self.chance(70):
            source, relations, bound = self.sources(depth, ())
            owners = [name for relation in relations for name in relation.of_kind(UUIDS)]
            owner = self.pick([*owners, OWNER])
            rows = f"SELECT {owner}, %(new_hash)s FROM {source}{self.all_of(bound)}"
        else:
            rows = f"VALUES ({self.pick([OWNER, OWNER, '%(other)s'])}, %(hash)s::bytea)"
        text = f"INSERT INTO {table} ({column}, address_hash) {rows}"
        target = Relation(table, TABLES[table])
        nothing = "ON CONFLICT DO NOTHING"
        change = "ON CONFLICT (owner_id, address_hash) DO UPDATE SET last_login_at = %(then)s"
        conflict = self.pick([
            "", nothing, nothing, change, f"{change} WHERE known_addresses.owner_id = {OWNER}",
            f"{change}, owner_id = {self.pick([OWNER, 'excluded.owner_id', '%(other)s'])}",
            f"{change} WHERE {self.exists(0, [target])}",
        ])  # fmt: skip
        return self.returning(f"{text} {conflict}", target)

    def returning(self, text: str, target: Relation) -> tuple[str, Columns]:
        owner = target.of_kind(UUIDS)[0]
        value = self.value(0, [target])[1] if self.chance(40) else "1"
        return f"{text} RETURNING {owner} AS c1, {value} AS c2", {UUIDS: ["c1"]}

    # FROM

    def sources(
        self, depth: int, outer: Sequence[Relation], most: int = 3
    ) -> tuple[str, list[Relation], list[str]]:
        """The text of FROM, its relations, and predicates for WHERE that bind some of them."""
        text, first = self.source(depth, outer)
        relations, where = [first], self.binding(first, outer)
        for _ in range(self.pick([0, 0, 1, 1, 2][: 2 * most - 1])):
            join = self.pick([*JOINS, "CROSS", "USING"])
            lateral = [*outer, *relations] if join in ("INNER", "LEFT", "CROSS") else outer
            added, relation = self.source(depth, lateral, is_lateral=lateral is not outer)
            known = [*relations, *outer]
            bound = self.binding(relation, known)
            on = self.binding(relation, relations, only_joins=True)
            relations.append(relation)
            if join in JOINS and where and self.chance(25):
                on, where = [*on, *where], []
            if join == "CROSS":
                text += f" CROSS JOIN {added}"
                where += bound
            elif join == "USING" and self.can_use(relations):
                text += f" INNER JOIN {added} USING (owner_id)"
                where += bound
            elif join == "FULL":
                text += f" FULL JOIN {added} ON {' AND '.join(on) or 'TRUE'}"
                where += self.pick([bound, []])
            else:
                join = join if join in JOINS else "INNER"
                if self.chance(50):
                    on, bound = [*on, *bound], []
                text += f" {join} JOIN {added} ON {' AND '.join(on) or 'TRUE'}"
                where += bound
            text = f"({text})" if self.chance(15) else text
        return text, relations, where

    def can_use(self, relations: Sequence[Relation]) -> bool:
        """Whether all have owner_id, and only one before the last, as USING requires."""
        return len(relations) == 2 and all(
            "owner_id" in relation.columns.get(UUIDS, ()) for relation in relations
        )

    def source(
        self, depth: int, outer: Sequence[Relation], *, is_lateral: bool = False
    ) -> tuple[str, Relation]:
        kinds = ["table"] * 5 + ["ids", "values"] * 2 + ["cte"] * 2 * bool(self._ctes)
        kind = self.pick([*kinds, *["query"] * 7 * (depth > 0)])
        alias = self.name("r")
        if kind == "table":
            table = self.pick([*TABLES])
            return f"{table} AS {alias}", Relation(alias, TABLES[table], True)
        if kind == "cte":
            cte = self.pick(self._ctes)
            return f"{cte.alias} AS {alias}", Relation(alias, cte.columns)
        columns = {UUIDS: ["x"]}
        if kind == "ids":
            return f"unnest(%(ids)s::uuid[]) AS {alias} (x)", Relation(alias, columns)
        if kind == "values":
            seen = [name for each in outer if is_lateral for name in each.of_kind(UUIDS)]
            values = [
                self.pick([OWNER, OWNER, "%(other)s", *seen]) for _ in range(self.pick([1, 2]))
            ]
            rows = ", ".join(f"({value}::uuid)" for value in values)
            prefix = "LATERAL " if is_lateral else ""
            return f"{prefix}(VALUES {rows}) AS {alias} (x)", Relation(alias, columns)
        query = self.pick([self.select, self.set_operation])
        was_free, self._is_free = self._is_free, self._is_free or self.chance(30)
        text, given = query(depth - 1, outer if is_lateral else ())
        self._is_free = was_free
        return f"{'LATERAL ' if is_lateral else ''}({text}) AS {alias}", Relation(alias, given)

    # Predicates

    def binding(
        self, relation: Relation, known: Sequence[Relation], *, only_joins: bool = False
    ) -> list[str]:
        """Predicates on the owner of a relation; sometimes one that does not bind it, or none."""
        owners = relation.of_kind(UUIDS)
        if not owners:
            return []
        owner = self.pick(owners)
        others = [f"{owner} = {name}" for each in known for name in each.of_kind(UUIDS)]
        if only_joins:
            return [self.pick(others)] if others and self.chance(70) else []
        right = [f"{owner} = {OWNER}", f"{OWNER} = {owner}", f"({owner} = {OWNER} AND TRUE)"]
        wrong = [
            f"{owner} <> {OWNER}", f"{owner} = ANY(%(ids)s::uuid[])", f"{owner} = %(other)s",
            f"({owner} = {OWNER} OR {owner} IS NOT NULL)", f"({owner} = {OWNER}) IS NOT NULL",
        ]  # fmt: skip
        odds = (10, 8, 1, 1) if relation.is_table else (6, 4, 1, 7)
        odds = (0, 1, 0, 1) if self._is_free else odds
        choices = ("right", "join", "wrong", "none")
        choice = self.pick([each for each, n in zip(choices, odds, strict=True) for _ in range(n)])
        joins = others or ([] if self._is_free else right)
        options = {"right": right, "join": joins, "wrong": wrong}.get(choice)
        return [self.pick(options)] if options else []

    def noise(
        self, depth: int, relations: Sequence[Relation], outer: Sequence[Relation]
    ) -> list[str]:
        """Predicates about other things than owners."""
        found = []
        known = [*relations, *outer]
        numbers = [name for each in known for name in each.of_kind(NUMBERS)]
        ids = [name for each in known for name in each.of_kind(IDS)]
        around = [name for each in outer for name in each.of_kind(UUIDS)]
        if around and self.chance(35):
            found.append(f"{self.pick(around)} = {OWNER}")
        if numbers and self.chance(20):
            found.append(f"{self.pick(numbers)} {self.pick(['>', '=', '<='])} {self.pick(numbers)}")
        if ids and self.chance(15):
            found.append(f"{self.pick(ids)} = {self.pick([*ids, '%(id)s'])}")
        if numbers and self.chance(10):
            found.append(f"({self.pick(numbers)} = 1 OR {self.pick(numbers)} IS NULL)")
        if depth > 0 and self.chance(15):
            found.append(self.exists(depth, known))
        if depth > 0 and numbers and self.chance(10):
            source, inside, bound = self.sources(0, known, 1)
            inner = self.pick([*inside[0].of_kind(NUMBERS), "1"])
            where = self.all_of(bound)
            found.append(f"{self.pick(numbers)} IN (SELECT {inner} FROM {source}{where})")
        return found

    def all_of(self, predicates: Sequence[str]) -> str:
        return f" WHERE {' AND '.join(predicates)}" if predicates else ""

    # Choices

    def name(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    def pick(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

"""The audit of each statement in sql/ without a database: its header, its proof, its findings."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from app import db
from app.audit.catalogue import Catalogue
from app.audit.exemptions import EXEMPTIONS
from app.audit.ownership import Binding, Predicate, Proof, prove
from app.db.statements import HeaderError, NoRow, Statement, parse


@dataclass(frozen=True)
class Audited:
    """A statement: the tables that it reads and writes, how each is bound, and its findings."""

    name: str
    text: str
    statement: Statement[NoRow] | None  # None: its header is malformed
    purpose: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    bindings: tuple[Binding, ...]
    predicates: tuple[Predicate, ...]
    exemption: str
    findings: tuple[str, ...]
    has_plan: bool


def audit_all(catalogue: Catalogue) -> list[Audited]:
    """Every file in sql/, by name."""
    names = sorted(file.relative_to(db.SQL).with_suffix("") for file in db.SQL.rglob("*.sql"))
    return [audit(name.as_posix(), catalogue) for name in names]


def audit(name: str, catalogue: Catalogue) -> Audited:
    """The statement in sql/<name>.sql."""
    text = (db.SQL / f"{name}.sql").read_text(encoding="utf-8")
    return audit_text(name, text, catalogue)


def audit_text(name: str, text: str, catalogue: Catalogue) -> Audited:
    """The statement `text`, as if it were in sql/<name>.sql."""
    proof = prove(text, catalogue)
    purpose = _purpose(text)
    statement, header_findings = _parsed(name, text, proof)
    exemption = EXEMPTIONS.get(name)
    findings = [
        *([] if purpose else ["header: does not say what the statement does"]),
        *header_findings,
        *(["uses *"] if _has_star(text) else []),
        *ownership_findings(name, proof),
    ]
    return Audited(
        name,
        text,
        statement,
        purpose,
        tuple(sorted(proof.tables - proof.writes)),
        tuple(sorted(proof.writes)),
        tuple(proof.bindings),
        tuple(proof.predicates),
        exemption.reason if exemption else "",
        tuple(findings),
        proof.has_plan,
    )


def ownership_findings(name: str, proof: Proof) -> Iterator[str]:
    """The objections that no exemption covers, and exemptions that cover none."""
    allowed = EXEMPTIONS[name].subjects if name in EXEMPTIONS else ()
    yield from (each.text for each in proof.objections if each.subject not in allowed)
    for subject in allowed:
        if subject not in {each.subject for each in proof.objections}:
            yield f"needs no exemption for {subject}"


def _parsed(name: str, text: str, proof: Proof) -> tuple[Statement[NoRow] | None, list[str]]:
    """The statement, unless its header is malformed, and what is wrong with the header."""
    try:
        statement = parse(name, text, NoRow)
    except HeaderError as error:
        return None, [f"header: {str(error).removeprefix(f'sql/{name}.sql: ')}"]
    if proof.effects is None or statement.header.writes == bool(proof.effects):
        return statement, []
    effects = ", ".join(proof.effects) or "only reads"
    tag = "@writes" if statement.header.writes else "@reads"
    return statement, [f"header: {tag}, but the statement {effects}"]


def _purpose(text: str) -> str:
    """The first sentence of the header; empty where there is none."""
    header = []
    for line in text.splitlines():
        if not line.startswith("-- ") or line.startswith("-- @"):
            break
        header.append(line.removeprefix("-- "))
    return " ".join(header).partition(". ")[0].rstrip(".")


def _has_star(text: str) -> bool:
    """Whether a select list has a star; the one of count(*) does not count."""
    if "*" not in text:
        return False
    try:
        stars = sqlglot.parse_one(text, dialect="postgres").find_all(exp.Star)
    except sqlglot.errors.SqlglotError:
        return False
    return any(not isinstance(star.parent, exp.Count) for star in stars)

"""What is known of every statement in sql/ without a database: its header, proof and findings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from app import db
from app.audit.catalogue import Catalogue
from app.audit.exemptions import EXEMPTIONS
from app.audit.ownership import Binding, Objection, Predicate, prove


@dataclass(frozen=True)
class Audited:
    """A statement: which tables it reads and writes, how each is bound, and what is wrong."""

    name: str
    text: str
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
    """The statement `text`, as if it stood in sql/<name>.sql."""
    proof = prove(text, catalogue)
    purpose = _purpose(text)
    exemption = EXEMPTIONS.get(name)
    findings = [
        *([] if purpose else ["has no header"]),
        *(["uses *"] if _has_star(text) else []),
        *_unexempted(name, proof.objections),
    ]
    return Audited(
        name,
        text,
        purpose,
        tuple(sorted(proof.tables - proof.writes)),
        tuple(sorted(proof.writes)),
        tuple(proof.bindings),
        tuple(proof.predicates),
        exemption.reason if exemption else "",
        tuple(findings),
        proof.has_plan,
    )


def _unexempted(name: str, objections: Iterable[Objection]) -> Iterator[str]:
    """The objections that no exemption covers, and exemptions that cover none."""
    allowed = EXEMPTIONS[name].subjects if name in EXEMPTIONS else ()
    objections = list(objections)
    yield from (each.text for each in objections if each.subject not in allowed)
    for subject in allowed:
        if subject not in {each.subject for each in objections}:
            yield f"needs no exemption for {subject}"


def _purpose(text: str) -> str:
    """The first sentence of the header; empty where there is none."""
    header = []
    for line in text.splitlines():
        if not line.startswith("-- "):
            break
        header.append(line.removeprefix("-- "))
    return " ".join(header).partition(". ")[0].rstrip(".")


def _has_star(text: str) -> bool:
    """Whether a select list takes whatever columns there are; count(*) takes none."""
    if "*" not in text:
        return False
    try:
        stars = sqlglot.parse_one(text, dialect="postgres").find_all(exp.Star)
    except sqlglot.errors.SqlglotError:
        return False
    return any(not isinstance(star.parent, exp.Count) for star in stars)

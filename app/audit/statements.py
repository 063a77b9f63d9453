"""The audit of each statement in sql/ without rows: its header, its proof, its findings."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
    statement: Statement[NoRow] | None = None
    proof, findings = Proof(), []
    try:
        statement = parse(name, text, NoRow)
    except HeaderError as error:
        findings = [f"header: {str(error).removeprefix(f'sql/{name}.sql: ')}"]
    if statement is not None:
        proof = prove(statement, catalogue)
        findings = [*_header_findings(statement, proof), *ownership_findings(name, proof)]
    purpose = _purpose(text)
    exemption = EXEMPTIONS.get(name)
    return Audited(
        name,
        text,
        statement,
        purpose,
        tuple(sorted(proof.tables - proof.writes)),
        tuple(sorted(proof.writes)),
        tuple(proof.bindings),
        tuple(_moved(proof.predicates, len(text) - len(statement.text) if statement else 0)),
        exemption.reason if exemption else "",
        (*([] if purpose else ["header: does not say what the statement does"]), *findings),
        has_plan=proof.effects is not None,
    )


def ownership_findings(name: str, proof: Proof) -> Iterator[str]:
    """The objections that no exemption covers, and exemptions that cover none."""
    allowed = EXEMPTIONS[name].subjects if name in EXEMPTIONS else ()
    yield from (each.text for each in proof.objections if each.subject not in allowed)
    for subject in allowed:
        if subject not in {each.subject for each in proof.objections}:
            yield f"needs no exemption for {subject}"


def _header_findings(statement: Statement[NoRow], proof: Proof) -> Iterator[str]:
    if proof.effects is not None and statement.header.writes != bool(proof.effects):
        effects = ", ".join(proof.effects) or "only reads"
        tag = "@writes" if statement.header.writes else "@reads"
        yield f"header: {tag}, but the statement {effects}"
    if proof.has_star:
        yield "uses *"


def _moved(predicates: list[Predicate], by: int) -> Iterator[Predicate]:
    """The predicates, found in the text that is sent, with their positions in the file's."""
    for each in predicates:
        yield replace(each, start=each.start + by, end=each.end + by)


def _purpose(text: str) -> str:
    """The first sentence of the header; empty where there is none."""
    header = []
    for line in text.split("\n"):
        if not line.startswith("-- ") or line.startswith("-- @"):
            break
        header.append(line.removeprefix("-- "))
    return " ".join(header).partition(". ")[0].rstrip(".")

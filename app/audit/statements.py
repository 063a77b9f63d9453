"""The audit of each statement in sql/ without rows: its header, its proof, its findings."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app import db
from app.audit import distribution
from app.audit.catalogue import Catalogue
from app.audit.exemptions import EXEMPTIONS, NO_EXEMPTION
from app.audit.ownership import Predicate, Proof, prove
from app.db.statements import HeaderError, NoRow, Statement, parse

PURPOSE = re.compile("-- (?!@)")


@dataclass(frozen=True)
class Audited:
    """A statement, what was found out about it, and what is wrong with it."""

    name: str
    text: str
    statement: Statement[NoRow] | None  # None: its header is malformed
    purpose: str  # the first sentence of its header
    proof: Proof  # its predicates have their positions in `text`
    exemption: str
    findings: tuple[str, ...]


def audit_all(catalogue: Catalogue) -> list[Audited]:
    """Every file in sql/, by name."""
    names = sorted(file.relative_to(db.SQL).with_suffix("") for file in db.SQL.rglob("*.sql"))
    return [_for_shards(audit(name.as_posix(), catalogue), catalogue) for name in names]


def _for_shards(audited: Audited, catalogue: Catalogue) -> Audited:
    """The audit with what Citus would refuse of the statement."""
    if audited.statement is None or audited.proof.effects is None:
        return audited
    refused = distribution.refusals(audited.statement, catalogue)
    return replace(audited, findings=(*audited.findings, *(f"sharded: {each}" for each in refused)))


def audit(name: str, catalogue: Catalogue) -> Audited:
    """The statement in sql/<name>.sql."""
    text = (db.SQL / f"{name}.sql").read_text(encoding="utf-8")
    return audit_text(name, text, catalogue)


def audit_text(name: str, text: str, catalogue: Catalogue) -> Audited:
    """The statement `text`, as if it were in sql/<name>.sql."""
    statement, proof = None, Proof()
    lines = itertools.takewhile(PURPOSE.match, text.split("\n"))
    purpose = " ".join(line.removeprefix("-- ") for line in lines).partition(". ")[0].rstrip(".")
    findings = [] if purpose else ["header: does not say what the statement does"]
    try:
        statement = parse(name, text, NoRow)
    except HeaderError as error:
        findings += [f"header: {str(error).removeprefix(f'sql/{name}.sql: ')}"]
    else:
        proof = prove(statement, catalogue)
        header = len(text) - len(statement.text)
        proof.predicates = [
            Predicate(each, start + header, end + header) for each, start, end in proof.predicates
        ]
        findings += [*_header_findings(statement, proof), *ownership_findings(name, proof)]
    reason = EXEMPTIONS.get(name, NO_EXEMPTION).reason
    return Audited(name, text, statement, purpose, proof, reason, tuple(findings))


def ownership_findings(name: str, proof: Proof) -> Iterator[str]:
    """The objections that no exemption covers, and exemptions that cover none."""
    allowed = EXEMPTIONS.get(name, NO_EXEMPTION).subjects
    yield from (each.text for each in proof.objections if each.subject not in allowed)
    unused = {*allowed} - {each.subject for each in proof.objections}
    yield from (f"needs no exemption for {each}" for each in sorted(unused))


def _header_findings(statement: Statement[NoRow], proof: Proof) -> Iterator[str]:
    if proof.effects is not None and statement.header.writes != bool(proof.effects):
        effects = ", ".join(proof.effects) or "only reads"
        tag = "@writes" if statement.header.writes else "@reads"
        yield f"header: {tag}, but the statement {effects}"
    if proof.has_star:
        yield "uses *"

"""The audit's results: an entry per file, its findings, and the counts of all of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.audit.access import Access
from app.audit.plans import Plan
from app.audit.scopes import OWNER_COLUMN
from app.audit.statements import Audited
from app.db.statements import Column

WITH_FINDINGS = "with findings"
EXEMPT = "exempt, with a reason"
NO_OWNED_TABLE = "touch no owned table"
# The text of the proofs, by whether the statement finds rows by their owner and whether it inserts.
BOUND = {
    (True, False): "find rows by their owner",
    (False, True): "insert rows of the owner",
    (True, True): "find rows by their owner, and insert rows of the owner",
}
LEFT_OUT = (
    "Plans, and the comparison of headers with PostgreSQL, were left out: "
    "run flask audit without --no-plans for them."
)
PROOFS = (*BOUND.values(), NO_OWNED_TABLE, EXEMPT, WITH_FINDINGS)


@dataclass(frozen=True)
class Entry:
    """The results of the audit for one file."""

    audited: Audited
    entry_points: Sequence[str]
    plan: Plan | None
    query_id: str

    @property
    def file(self) -> str:
        """The file's path in the repository."""
        return f"sql/{self.audited.name}.sql"

    @property
    def findings(self) -> list[str]:
        """The findings about the file; empty where there are none."""
        scanned = self.plan.sequential if self.plan else ()
        return [
            *self.audited.findings,
            *([] if self.entry_points else ["is run by nothing"]),
            *(f"scans {table} sequentially" for table in scanned),
            *self._spread,
        ]

    @property
    def _spread(self) -> list[str]:
        """A finding where Citus runs a statement that names its owner on several shards."""
        statement, tasks = self.audited.statement, self.plan.tasks if self.plan else ()
        names_owner = statement is not None and OWNER_COLUMN in statement.parameters
        most = max(tasks, default=1)
        return [f"names its owner, and has {most} tasks"] if names_owner and most > 1 else []

    @property
    def writes(self) -> bool:
        """What the header declares; the tables decide where it is malformed."""
        statement = self.audited.statement
        return statement.header.writes if statement else bool(self.audited.proof.writes)

    @property
    def kind(self) -> str:
        """`writes` or `reads`."""
        return "writes" if self.writes else "reads"

    @property
    def tables_read(self) -> list[str]:
        """The tables that it reads and does not write, sorted."""
        return sorted(self.audited.proof.tables - self.audited.proof.writes)

    @property
    def tables_written(self) -> list[str]:
        """The tables that it writes, sorted."""
        return sorted(self.audited.proof.writes)

    @property
    def tables(self) -> list[str]:
        """The tables that it reads, then those that it writes."""
        return [*self.tables_read, *self.tables_written]

    @property
    def paths(self) -> list[str]:
        """How its owned tables are bound to the owner, without repetitions."""
        return list(dict.fromkeys(each.path for each in self.audited.proof.bindings))

    @property
    def parameters(self) -> Sequence[Column]:
        """The declared parameters; empty where the header is malformed."""
        return self.audited.statement.header.parameters if self.audited.statement else ()

    @property
    def columns(self) -> Sequence[Column]:
        """The declared columns; empty where the header is malformed."""
        return self.audited.statement.header.columns if self.audited.statement else ()

    @property
    def proof(self) -> str:
        """One of PROOFS: what makes sure that it touches only its owner's rows."""
        if self.findings:
            return WITH_FINDINGS
        if self.audited.exemption:
            return EXEMPT
        inserts = {":=" in path for path in self.paths}
        return BOUND[False in inserts, True in inserts] if inserts else NO_OWNED_TABLE


@dataclass(frozen=True)
class Report:
    """All entries, the tables whose rows have an owner, and what the database allows."""

    entries: Sequence[Entry]
    owned_tables: Sequence[str]
    access: Access
    has_plans: bool  # and the comparison of each header with PostgreSQL
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def left_out(self) -> str:
        """What the report does not have, and how to get it; empty where it has everything."""
        return "" if self.has_plans else LEFT_OUT

    @property
    def findings(self) -> list[str]:
        """All findings, each after its file."""
        return [f"{entry.file} {finding}" for entry in self.entries for finding in entry.findings]

    @property
    def kinds(self) -> Counter[str]:
        """The numbers of statements that read and that write."""
        return Counter(entry.kind for entry in self.entries)

    @property
    def tables(self) -> list[str]:
        """The tables that a statement reads or writes, sorted."""
        return sorted({table for entry in self.entries for table in entry.tables})

    @property
    def entry_points(self) -> list[str]:
        """The entry points that run a statement, sorted."""
        return sorted({label for entry in self.entries for label in entry.entry_points})

    @property
    def proofs(self) -> dict[str, int]:
        """The number of statements for each of PROOFS, without zeros."""
        counted = Counter(entry.proof for entry in self.entries)
        return {proof: counted[proof] for proof in PROOFS if counted[proof]}

    @property
    def exempt(self) -> list[Entry]:
        """The entries that have an exemption."""
        return [entry for entry in self.entries if entry.audited.exemption]

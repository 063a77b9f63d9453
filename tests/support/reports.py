"""Reports of the audit for tests, and what their pages contain."""

from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

from app.audit import statements
from app.audit.access import Access, Definer, Right, Trigger
from app.audit.plans import Plan
from app.audit.report.results import Entry, Report
from app.audit.statements import Audited
from tests.support.audited import Audits

PLAN = Plan(("tasks_pkey",), (), (), 1, 4)
ACCESS = Access(
    [Right("tasks", "ownrow_app", "select", []), Right("tasks", "ownrow_app", "update", ["title"])],
    [Trigger("tasks", "tasks_kept", "BEFORE DELETE", "disabled", "keep_tasks", True, "keeper")],
    [Definer("find_task(uuid)", "keeper", ["ownrow_app"])],
)


def entry(audited: Audited, *entry_points: str) -> Entry:
    """The results for one statement, which has a plan."""
    return Entry(audited, entry_points or ("GET /",), PLAN, "42")


@dataclass
class Reports:
    """Makes reports of these audits."""

    audits: Audits

    def report(self, *entries: Entry) -> Report:
        """The results for these statements; for all of sql/ where none is given."""
        everything = [entry(each) for each in self.audits.by_name.values()]
        return Report(
            entries or everything, self.audits.catalogue.owned_tables, ACCESS, has_plans=True
        )

    def of(self, name: str, *entry_points: str) -> Entry:
        """The results for sql/<name>.sql."""
        return entry(self.audits.by_name[name], *entry_points)

    def unbound(self) -> Entry:
        """A statement with a finding: it does not name the owner."""
        text = "-- Reads all tasks.\n-- @reads\n-- @returns id uuid\nSELECT id FROM tasks\n"
        return entry(statements.audit_text("tasks/leak", text, self.audits.catalogue))

    def hostile(self, code: str) -> Entry:
        """A statement whose texts contain the code."""
        text = f"-- Reads {code}.\n-- @reads\n-- @returns code text\nSELECT '{code}' AS code\n"
        audited = statements.audit_text("tasks/hostile", text, self.audits.catalogue)
        return entry(replace(audited, exemption=code), code)


@dataclass
class Element:
    """An element of a page: its name, attributes, text, and the elements in it."""

    name: str
    attributes: dict[str, str | None]
    text: str = ""
    inner: list["Element"] = field(default_factory=list)

    def all(self, name: str) -> list["Element"]:
        """The elements of that name, or with #name as their id, at any depth."""
        own = [each for each in self.inner if name in (each.name, f"#{each.attributes.get('id')}")]
        return own + [found for each in self.inner for found in each.all(name)]


class _Parser(HTMLParser):
    EMPTY = ("meta", "input")

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("page", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].inner.append(element)
        if tag not in self.EMPTY:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def parsed(html: str) -> Element:
    """The page; fails where its tags do not match each other."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert len(parser.open) == 1
    return parser.open[0]

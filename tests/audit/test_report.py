"""The report as text, JSON and HTML: what it says, and that texts in it are inert."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import pytest

from app.audit.ownership import Binding, Predicate, Proof
from app.audit.report.document import as_json
from app.audit.report.page import as_html, marked
from app.audit.report.results import LEFT_OUT, PROOFS, Entry
from app.audit.report.terminal import as_text
from app.audit.scopes import OWNER_PARAMETER
from tests.support.reports import ACCESS, Reports, entry, parsed

ALL_FORMS = pytest.mark.parametrize("as_form", [as_text, as_json, as_html])
REASON = "a refused login has no owner"


def test_the_marks_are_exactly_the_ownership_predicates(reports: Reports) -> None:
    page = parsed(as_html(reports.report()))
    for name, audited in reports.audits.by_name.items():
        (statement,) = page.all(f"#sql/{name}.sql")
        (shown,) = statement.all("pre")
        expected = [
            each.text for each in sorted(audited.proof.predicates, key=lambda each: each.start)
        ]
        assert [mark.text for mark in shown.all("mark")] == expected
        assert shown.text == audited.text


def test_a_mark_is_where_the_predicate_is() -> None:
    text = "WHERE a = %(owner_id)s OR a = %(owner_id)s"
    html = marked(text, [Predicate("a = %(owner_id)s", 26, 42)])
    assert html.startswith("WHERE a = ")
    assert html.endswith('OR <mark>a = <span class="whole">%(owner_id)s</span></mark>')


def test_overlapping_predicates_repeat_no_text() -> None:
    text = "(a < b) = c AND d"
    html = marked(text, [Predicate("(a < b) = c", 0, 11), Predicate("a < b", 1, 6)])
    assert html == "<mark>(a &lt; b) = c</mark> AND d"


@ALL_FORMS
def test_a_finding_is_in_the_report(reports, as_form) -> None:  # type: ignore[no-untyped-def]
    text = as_form(reports.report(reports.of("tasks/get"), reports.unbound()))
    assert "does not bind tasks to the owner" in text
    assert "no finding" not in text.lower()


def test_a_finding_is_at_the_top_of_the_page_and_leads_to_its_statement(reports: Reports) -> None:
    page = parsed(as_html(reports.report(reports.of("tasks/get"), reports.unbound())))
    (summary,) = page.all("#summary")
    assert "does not bind tasks to the owner" in summary.text
    assert [link.attributes["href"] for link in summary.all("a")] == ["#sql/tasks/leak.sql"]
    assert page.all("title")[0].text.endswith("1 finding")
    assert "does not bind tasks to the owner" in page.all("#sql/tasks/leak.sql")[0].text


@ALL_FORMS
def test_an_exemption_has_its_reason(reports, as_form) -> None:  # type: ignore[no-untyped-def]
    assert REASON in as_form(reports.report(reports.of("auth/record_refusal")))
    assert REASON not in as_form(reports.report(reports.of("tasks/get")))


def test_exemptions_are_listed_before_the_statements(reports: Reports) -> None:
    exempt = reports.of("auth/record_refusal")
    (section,) = parsed(as_html(reports.report(exempt, reports.of("tasks/get")))).all("#exemptions")
    assert [link.text for link in section.all("a")] == ["sql/auth/record_refusal.sql"]
    assert [cell.text for cell in section.all("td")] == [REASON]


def test_each_statement_counts_for_one_proof(reports: Reports) -> None:
    found = reports.report(
        *(reports.of(name) for name in ("tasks/get", "auth/register", "tasks/create")),
        *(reports.of(name) for name in ("system/inspect_server", "auth/record_refusal")),
        reports.unbound(),
    )
    assert found.proofs == dict.fromkeys(PROOFS, 1)
    assert found.kinds == {"reads": 3, "writes": 3}
    summary = json.loads(as_json(found))["summary"]
    assert (summary["proofs"], summary["reads"], summary["writes"]) == (found.proofs, 3, 3)
    counts = [f"1 {proof}" for proof in PROOFS]
    assert [item.text for item in parsed(as_html(found)).all("li") if item.text in counts] == counts
    assert all(count in as_text(found) for count in counts)


def test_rights_and_triggers_are_in_each_form(reports: Reports) -> None:
    page = parsed(as_html(reports.report()))
    cells = [" ".join(cell.text.split()) for cell in page.all("#rights")[0].all("td")]
    assert cells[0] == "select, update (title)"
    assert [each.text for each in page.all("#triggers")[0].all("strong")] == ["disabled"]
    assert "keeper, security definer" in page.all("#triggers")[0].text
    lines = [line.split() for line in as_text(reports.report()).splitlines()]
    assert ["tasks", "ownrow_app", "select,", "update", "(title)"] in lines
    assert ["tasks_kept", "BEFORE", "DELETE", "DISABLED", "keep_tasks", "keeper"] in lines
    document = json.loads(as_json(reports.report()))
    assert document["rights"][1] == {**ACCESS.rights[1]._asdict()}
    assert document["triggers"] == [{**ACCESS.triggers[0]._asdict()}]
    assert document["security_definer_functions"] == [{**ACCESS.definers[0]._asdict()}]


@ALL_FORMS
def test_a_report_with_plans_leaves_nothing_out(reports, as_form) -> None:  # type: ignore[no-untyped-def]
    found = reports.report(reports.of("tasks/get"))  # comments of other files have these words
    assert "left out" not in as_form(found)
    assert LEFT_OUT in as_form(replace(found, has_plans=False))


def test_code_in_a_statement_is_text(reports: Reports) -> None:
    code = '</code></pre><script>alert(1)</script><img src=x onerror=alert(2)>"'
    html = as_html(reports.report(reports.hostile(code)))
    page = parsed(html)
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    (statement,) = page.all("#sql/tasks/hostile.sql")
    assert statement.text.count("<script>alert(1)</script>") >= 4
    assert statement.attributes["data-entry-points"] == code


def test_the_page_allows_its_own_style_and_script_and_nothing_else(reports: Reports) -> None:
    page = parsed(as_html(reports.report()))
    policy, *_ = (each.attributes["content"] for each in page.all("meta")[1:])
    assert policy is not None
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    for directive, element in (("style-src", "style"), ("script-src", "script")):
        digest = hashlib.sha256(page.all(element)[0].text.encode()).digest()
        assert directives.pop(directive) == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert {*directives.items()} == {
        (directive, "'none'") for directive in ("default-src", "base-uri", "form-action")
    }


def test_the_page_refers_to_no_other_file(reports: Reports) -> None:
    html = as_html(reports.report())
    links = re.findall(r'(?:src|href|action)\s*=\s*"([^"]*)"', html)
    ids = {f"#{each}" for each in re.findall(r' id="([^"]*)"', html)}
    assert links
    assert {*links} <= ids
    assert "http://" not in html
    assert "https://" not in html
    assert re.findall(r"<[^>]* (?:style|on\w+)=", html) == []


def long_names(reports: Reports) -> Entry:
    """A statement whose names are longer than the columns of the text."""
    table = f"{'long_' * 9}tasks"
    bound = Binding(table, f"{table}.owner_id = {OWNER_PARAMETER}")
    audited = reports.audits.by_name["tasks/get"]
    name = f"tasks/{'very_' * 9}long"
    return entry(replace(audited, name=name, proof=Proof([bound], tables={table})))


@pytest.mark.parametrize("is_long", [True, False])
def test_the_text_cuts_no_word(reports: Reports, is_long: bool) -> None:
    found = reports.report(*([long_names(reports)] if is_long else []))
    text = as_text(found)
    shown = text.split()
    assert OWNER_PARAMETER in shown
    for each in found.entries:
        assert each.file in shown
        words = " ".join([*each.paths, *each.entry_points, *each.tables]).split()
        assert [word for word in words if word not in shown] == []


def test_an_item_of_a_cell_begins_its_own_line(reports: Reports) -> None:
    one_table = reports.of("filters/get", "GET /one", "GET /two")
    lines = as_text(reports.report(one_table)).splitlines()
    assert [line.strip() for line in lines if "GET /two" in line] == ["GET /two"]


def test_a_parameter_of_the_page_is_never_wrapped(reports: Reports) -> None:
    html = as_html(reports.report())
    body = html[html.index("<main>") : html.index("<script>")]
    parameters = re.findall(r"%\(\w+\)s", body)
    assert len(parameters) > 100
    assert len(re.findall(r'<span class="whole">%\(\w+\)s</span>', body)) == len(parameters)

"""Quick add, rules in words, and dates: the client's own modules, run in the browser."""

from collections.abc import Iterator
from typing import Any

import pytest
from selenium import webdriver

from tests.support.browser import Page, chromium, needs_chromium
from tests.support.web import Service

pytestmark = needs_chromium

# The driver evaluates it, whatever the page's policy allows.
RUN = """
const [module, cases, done] = arguments;
const run = (m, c) => (%s);
import(`/app/${module}`)
  .then((found) => done({values: cases.map((each) => run(found, each))}))
  .catch((error) => done({error: String(error.stack)}));
"""
# A Tuesday, 10:00 in Madrid.
KNOWN = """{zone: "Europe/Madrid", now: new Date("2026-12-01T09:00:00Z"),
  lists: [{id: "h", title: "Home"}, {id: "w", title: "Home office"}],
  labels: [{id: "p", name: "phone"}]}"""

QUICK_ADDS: list[tuple[str, dict[str, Any]]] = [
    (
        "pay rent every month on the 1st #Home p1 tomorrow 9:00",
        {
            "title": "pay rent",
            "due": "2026-12-02T09:00:00",
            "recurrence": "FREQ=MONTHLY;BYMONTHDAY=1",
            "priority": 1,
            "list": {"id": "h", "name": "Home"},
        },
    ),
    ("buy milk", {"title": "buy milk", "due": None, "recurrence": None, "list": None}),
    ("milk today", {"title": "milk", "due": "2026-12-01"}),
    ("milk at 9am", {"due": "2026-12-02T09:00:00"}),
    ("milk 11:30", {"due": "2026-12-01T11:30:00"}),
    ("milk 25:00", {"title": "milk 25:00", "due": None}),
    ("dinner friday 8pm", {"title": "dinner", "due": "2026-12-04T20:00:00"}),
    ("tuesday call", {"title": "call", "due": "2026-12-08"}),
    ("call next week", {"due": "2026-12-07"}),
    ("call in 3 weeks", {"due": "2026-12-22"}),
    ("call +2d", {"due": "2026-12-03"}),
    ("tax 28 nov", {"title": "tax", "due": "2027-11-28"}),
    ("tax nov 28 2026", {"due": "2026-11-28"}),
    ("tax 31 nov", {"title": "tax 31 nov", "due": None}),
    ("trip 2027-02-28", {"title": "trip", "due": "2027-02-28"}),
    ("trip 2027-02-30", {"title": "trip 2027-02-30", "due": None}),
    ("water every! 3 days", {"recurrence": "FREQ=DAILY;INTERVAL=3", "basis": "completion"}),
    (
        "run every mon, wed and friday",
        {"recurrence": "FREQ=WEEKLY;BYDAY=MO,WE,FR", "due": "2026-12-02"},
    ),
    (
        "stand-up every weekday 9:30",
        {"recurrence": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"},
    ),
    ("pay every last friday", {"recurrence": "FREQ=MONTHLY;BYDAY=-1FR", "due": "2026-12-25"}),
    (
        "pay every month on the last day",
        {"recurrence": "FREQ=MONTHLY;BYMONTHDAY=-1", "due": "2026-12-31"},
    ),
    (
        "party every year on 5 jan",
        {"recurrence": "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=5", "due": "2027-01-05"},
    ),
    ("mail every other week", {"recurrence": "FREQ=WEEKLY;INTERVAL=2", "due": "2026-12-01"}),
    ("review everything", {"title": "review everything", "recurrence": None}),
    ("desk #Home office", {"list": {"id": "w", "name": "Home office"}, "title": "desk"}),
    ("desk #Homework", {"list": {"id": None, "name": "Homework"}}),
    ('plan #"New house"', {"list": {"id": None, "name": "New house"}, "title": "plan"}),
    ("call @Phone @new", {"labels": [{"id": "p", "name": "phone"}, {"id": None, "name": "new"}]}),
    ("mail a@b.example p10", {"title": "mail a@b.example p10", "labels": [], "priority": 0}),
    ('read "today at 9:00" p2', {"title": "read today at 9:00", "priority": 2, "due": None}),
    (
        "call 15:00 !30m !1d",
        {
            "reminders": [
                {"offset": "-PT30M", "relative_to": "due"},
                {"offset": "-P1D", "relative_to": "due"},
            ]
        },
    ),
    ("<b>today</b> &amp;", {"title": "<b>today</b> &amp;"}),
    ("", {"title": ""}),
    ("tomorrow", {"title": "", "due": "2026-12-02"}),
    ("#", {"title": "#", "list": None}),
    ("naïve résumé demain", {"title": "naïve résumé demain", "due": None}),
]

RULES = [
    ("FREQ=DAILY", "every day"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", "every 2 weeks on Mon, Thu"),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day"),
    ("FREQ=MONTHLY;BYMONTHDAY=2,3", "every month on the 2nd, the 3rd"),
    ("FREQ=MONTHLY;BYDAY=2TU", "every month on the 2nd Tue"),
    ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=5", "every year on the 5th in March"),
    ("FREQ=DAILY;COUNT=1", "every day (1 time)"),
    ("FREQ=DAILY;UNTIL=20270101", "every day until 2027-01-01"),
    ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1"),
]

# Local times with zones, and their instants: gaps count with the offset before, doubled hours once.
INSTANTS = [
    (["2026-07-01T12:00:00", "Europe/Madrid"], "2026-07-01T10:00:00.000Z"),
    (["2026-03-29T02:30:00", "Europe/Madrid"], "2026-03-29T01:30:00.000Z"),
    (["2026-10-25T02:30:00", "Europe/Madrid"], "2026-10-25T00:30:00.000Z"),
    (["2026-10-25T03:00:00", "Europe/Madrid"], "2026-10-25T02:00:00.000Z"),
    (["2026-11-01T01:30:00", "America/New_York"], "2026-11-01T05:30:00.000Z"),
    (["2026-01-01", "Asia/Kathmandu"], "2025-12-31T18:15:00.000Z"),
]


@pytest.fixture(scope="module")
def page(shared_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile"), "lang=en-US") as browser:
        yield Page(browser, f"{shared_service.url}/app/")


def run(page: Page, module: str, code: str, cases: list[Any]) -> list[Any]:
    browser: webdriver.Chrome = page.browser
    found = browser.execute_async_script(RUN % code, module, cases)
    assert "error" not in found, found
    return list(found["values"])


@pytest.mark.proves("WEB-21")
def test_the_quick_add_understands_what_it_should_and_nothing_else(page: Page) -> None:
    texts = [text for text, _ in QUICK_ADDS]
    found = run(page, "lang/quickadd.js", f"m.parseQuickAdd(c, {KNOWN})", texts)
    for (text, wanted), understood in zip(QUICK_ADDS, found, strict=True):
        assert {name: understood[name] for name in wanted} == wanted, text


@pytest.mark.proves("WEB-22")
def test_rules_are_read_out_in_words(page: Page) -> None:
    found = run(page, "lang/rules.js", "m.describe(c)", [rule for rule, _ in RULES])
    assert found == [words for _, words in RULES]


@pytest.mark.proves("WEB-22")
def test_local_times_are_the_instants_that_the_server_computes(page: Page) -> None:
    cases = [case for case, _ in INSTANTS]
    found = run(page, "lang/dates.js", "m.instantOf(...c).toISOString()", cases)
    assert found == [instant for _, instant in INSTANTS]


@pytest.mark.proves("WEB-23")
def test_places_between_others_sort_between_them(page: Page) -> None:
    cases = [["", ""], ["a", "b"], ["a", "a1"], ["az", "b"], ["", "1"], ["zz", ""], ["a", "a01"]]
    for (low, high), place in zip(
        cases, run(page, "data/order.js", "m.between(...c)", cases), strict=True
    ):
        assert low < place
        assert high == "" or place < high, (low, place, high)

"""WCAG 2.2 AA by axe-core on every page, in light and dark; the window's width; the keyboard."""

from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tests.support.browser import needs_chromium
from tests.support.remote_user import RemoteUser
from tests.support.web import Service
from tests.web.browser.client import Client, change
from tests.web.tools import needs_tools
from tests.web.tools.axe import violations

pytestmark = needs_chromium

ENTRY = ("signin", "signup", "reset", "reset?token=x", "verify?token=x", "change-email?token=x")
PAGES = (
    "today", "upcoming", "inbox", "search?q=a", "archived", "trash", "trash/list", "new-list",
    "new-label", "new-filter", "settings/account", "settings/security", "settings/tokens",
    "settings/connections", "settings/data",
)  # fmt: skip
WIDTHS = (320, 768, 3840)


def plan(user: RemoteUser) -> list[dict[str, Any]]:
    """A list, a label, a filter and tasks of all sorts."""
    return change(
        user,
        {"kind": "list", "op": "create", "ref": "a", "title": "Home", "color": "#2b8a3e"},
        {"kind": "label", "op": "create", "ref": "b", "name": "phone"},
        {"kind": "filter", "op": "create", "title": "Soon", "query": "due < +7d"},
        {"op": "create", "ref": "c", "title": "a task", "list_id": "#a", "label_ids": ["#b"],
         "due": "2026-01-01T09:00", "priority": 1, "recurrence": "FREQ=DAILY",
         "reminders": [{"offset": "-PT30M"}]},
        {"op": "create", "title": "a subtask", "parent_id": "#c"},
        {"op": "create", "title": "a later task", "due": "2199-01-01", "priority": 3},
        {"op": "create", "title": "مهمة في صندوق الوارد", "priority": 7},
        {"op": "create", "title": "a" * 255},
        {"kind": "list", "op": "create", "ref": "d", "title": "Old"},
        {"kind": "list", "op": "archive", "id": "#d"},
        {"op": "create", "ref": "e", "title": "gone"},
        {"op": "delete", "id": "#e"},
    )  # fmt: skip


def check(client: Client, address: str) -> list[str]:
    """What is wrong with a page in light and in dark."""
    client.go(f"#/{address}")
    client.find("h1")
    client.until(
        lambda: not [each for each in client.find_all("main .empty") if "Loading" in each.text],
        f"{address} is not loaded",
    )
    found = []
    for scheme in ("light", "dark"):
        client.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
        found += [f"{address} {scheme}: {each}" for each in violations(client.browser)]
    return found


@pytest.mark.proves("WEB-29")
@needs_tools
def test_no_page_breaks_a_rule_of_axe_in_light_or_dark(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    home, label, saved, task, *_ = plan(person)
    client = Client(browser, shared_service)
    found = [each for address in ENTRY for each in check(client, address)]
    client.go("#/signin")
    client.sign_in(person.email)
    client.saved()
    addresses = (
        *PAGES,
        f"list/{home['id']}?task={task['id']}",
        f"label/{label['id']}",
        f"filter/{saved['id']}",
        "list/01890a5d-ac96-774b-bcce-b302099a8057",
    )
    found += [each for address in addresses for each in check(client, address)]
    client.go("#/inbox")
    client.press_button("Keyboard shortcuts")
    found += violations(browser)
    client.press_button("Close", "dialog")
    client.write("#quick-add", "call Ana tomorrow 9:00 #Home @phone p1 every week")
    found += violations(browser)
    client.check("a" * 255)
    client.find(".notice")
    found += violations(browser)
    client.be_a_phone()
    client.press_button("Menu")
    found += violations(browser)
    assert found == []


@pytest.mark.proves("WEB-29")
@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_window(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser, width: int
) -> None:
    home, _, _, task, *_ = plan(person)
    client = Client(browser, shared_service)
    client.sign_in(person.email)
    client.saved()
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
    )
    for address in (*PAGES, f"list/{home['id']}", f"list/{home['id']}?task={task['id']}"):
        client.go(f"#/{address}")
        client.find("h1" if "task=" not in address else ".panel")
        document, window = client.widths()
        assert document <= window, address


@pytest.mark.proves("WEB-29")
def test_the_keyboard_alone_is_enough_and_the_focus_is_never_lost(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    change(person, *({"op": "create", "title": title} for title in ("one", "two")))
    client = Client(browser, shared_service)
    client.find("input[type=email]")
    client.until(lambda: client.browser.switch_to.active_element.tag_name == "input", "no focus")
    client.press(person.email + Keys.TAB + "seven quiet rivers" + Keys.ENTER)
    client.find("#sidebar")
    client.press("gi", client.find("body"))
    client.shows("one", "two")
    assert client.focused() == "Inbox"  # the new page's heading
    client.press("q")
    assert client.focused() == "quick-add"
    client.press("three" + Keys.ENTER)
    client.shows("one", "two", "three")
    assert client.focused() == "quick-add"
    client.press(Keys.TAB)
    client.press("j", client.find("h1"))
    client.until(lambda: client.focused() == "one", "no task has the focus")
    client.press(Keys.ENTER)
    client.find(".panel")
    client.until(lambda: "panel" in (focus_class(client)), "the task has no focus")
    client.press(Keys.ESCAPE)
    client.until(lambda: client.focused() == "one", "the focus did not return")
    client.press("?")
    client.find("dialog")
    client.press(Keys.ESCAPE)
    client.until(lambda: client.focused() == "one", "the focus did not return from the dialog")

    # letters are letters once the shortcuts are switched off
    client.go("#/settings/account")
    client.find(".switch-line input")
    switch = client.find_all(".switch-line input")[-1]
    switch.click()
    client.go("#/inbox")
    client.shows("one", "two", "three")
    client.press("q", client.find("h1"))
    assert client.focused() != "quick-add"


def focus_class(client: Client) -> str:
    return str(client.browser.execute_script("return document.activeElement.className"))


@pytest.mark.proves("WEB-22")
def test_dates_are_in_the_language_of_the_browser(
    open_browser: Any, shared_service: Service, person: RemoteUser
) -> None:
    change(person, {"op": "create", "title": "later", "due": "2199-03-05T15:00"})
    browser = open_browser("lang=de", "accept-lang=de-DE")
    client = Client(browser, shared_service, "#/upcoming")
    client.sign_in(person.email)
    client.go("#/upcoming")
    client.shows("later")
    assert "5. März 2199" in client.find(".day").text
    assert "15:00" in client.row("later").text

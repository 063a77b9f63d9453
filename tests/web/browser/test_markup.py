"""Text is text: markup in every field stays what was written, on every page."""

import pytest
from selenium import webdriver

from tests.support.browser import needs_chromium
from tests.support.remote_user import RemoteUser
from tests.support.web import Service
from tests.web.browser.client import Client, change, texts

pytestmark = needs_chromium

MARKUP = (
    "<img src=x onerror=\"document.title='owned'\">"
    "<script>document.title='owned'</script>\"'`${1}&lt;b&gt;javascript:alert(1)"
)
PAGES = ("today", "inbox", "upcoming", "search?q=onerror", "archived", "trash", "trash/list")


@pytest.mark.proves("WEB-30")
def test_markup_in_every_field_is_shown_as_text_and_never_run(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    home, label, saved, task, *_ = change(
        person,
        {"kind": "list", "op": "create", "ref": "a", "title": MARKUP, "description": MARKUP},
        {"kind": "label", "op": "create", "ref": "b", "name": MARKUP[:100]},
        {"kind": "filter", "op": "create", "title": MARKUP, "query": 'title != "<b>x</b>"'},
        {
            "op": "create",
            "ref": "c",
            "title": MARKUP,
            "description": MARKUP,
            "list_id": "#a",
            "label_ids": ["#b"],
            "due": "2026-01-01",
            "recurrence": "FREQ=DAILY",
        },
        {"op": "create", "title": MARKUP, "parent_id": "#c"},
        {"op": "create", "title": MARKUP, "due": "2199-01-01"},
        {"kind": "list", "op": "create", "ref": "d", "title": MARKUP},
        {"kind": "list", "op": "archive", "id": "#d"},
        {"kind": "list", "op": "create", "ref": "e", "title": MARKUP},
        {"kind": "list", "op": "delete", "id": "#e"},
        {"op": "create", "ref": "f", "title": MARKUP},
        {"op": "delete", "id": "#f"},
    )
    token = person.server.request(
        "POST",
        "/api/auth/tokens",
        {"name": MARKUP[:100], "scopes": ["tasks:read"]},
        person.authorization,
    )
    assert token.status == 201, token.body
    client = Client(browser, shared_service, f"#/list/{home['id']}?task={task['id']}")
    client.sign_in(person.email)
    client.until(lambda: client.titles() == [MARKUP, MARKUP], "the titles are not what was written")
    assert client.find("h1").text == MARKUP
    assert client.labelled("Title").get_attribute("value") == MARKUP
    assert client.labelled("Description").get_attribute("value") == MARKUP
    client.press_button("History", ".panel")
    client.find(".history li")
    addresses = [f"#/{page}" for page in PAGES]
    addresses += [f"#/label/{label['id']}", f"#/filter/{saved['id']}", "#/settings/tokens"]
    for address in addresses:
        client.go(address)
        client.until(lambda: MARKUP[:60] in client.find("#app").text, f"{address} lacks the text")
        assert browser.execute_script("return document.querySelectorAll('img').length") == 1

    # what the user writes, and what other clients send in the address
    client.go("#/inbox")
    client.write("#quick-add", f'"{MARKUP[:40]}" #<b>x</b> @<i>y</i>')
    assert "new list “<b>x</b>”" in texts(client.find_all(".chip"))
    client.go(f"#/search?q={MARKUP}")
    client.find("h1")
    assert "owned" not in browser.title
    refused = [each for each in client.errors() if "Content Security Policy" in each]
    assert refused == []

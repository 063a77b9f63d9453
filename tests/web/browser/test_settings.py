"""The settings: zone, password, sessions, tokens, webhooks, export, the end of the account."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from selenium import webdriver

from tests.support.api_user import PASSWORD
from tests.support.browser import needs_chromium
from tests.support.remote_user import RemoteUser
from tests.support.web import Service
from tests.web.browser.client import Client, texts, titles_of

pytestmark = needs_chromium

OpenBrowser = Callable[..., webdriver.Chrome]


@pytest.mark.proves("WEB-31")
def test_the_zone_the_sessions_and_the_password_are_changed(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    client = Client(browser, shared_service)
    client.sign_in(person.email)
    client.go("#/settings/account")
    client.set_value(client.labelled("Time zone"), "Asia/Tokyo")
    client.says("Saved.")
    me = person.server.request("GET", "/api/auth/me", None, person.authorization).json["data"]
    assert me["time_zone"] == "Asia/Tokyo"

    client.go("#/settings/security")
    client.until(lambda: len(client.find_all(".things li")) == 2, "there are not two sessions")
    client.find(".things button").click()
    client.until(lambda: len(client.find_all(".things li")) == 1, "the session is not over")
    client.until(lambda: person.get("/tasks").status == 401, "its access token is still good")

    client.labelled("Current password").send_keys("wrong")
    client.labelled("New password").send_keys("nine loud mountains")
    client.press_button("Change the password")
    client.find("section:first-of-type .error")
    client.labelled("Current password").clear()
    client.labelled("Current password").send_keys(PASSWORD)
    client.press_button("Change the password")
    client.says("The password has been changed.")
    client.go("#/settings/account")
    client.press_button("Sign out")
    client.sign_in(person.email, "nine loud mountains")


@pytest.mark.proves("WEB-31")
def test_tokens_and_webhooks_are_made_shown_once_and_ended(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    person.create("a task")
    client = Client(browser, shared_service)
    client.sign_in(person.email)
    client.go("#/settings/tokens")
    client.labelled("Name").send_keys("a program")
    client.press_button("Create a token")
    token = client.find(".created .secret").text
    program = {"Authorization": f"Bearer {token}"}
    assert person.server.request("GET", "/api/me/tasks", None, program).status == 200
    assert person.server.request("DELETE", "/api/auth/me", {}, program).status == 403
    browser.refresh()
    client.until(lambda: client.find_all(".things li"), "the token is not listed")
    assert client.find_all(".created") == []
    client.press_button("End the token “a program”")
    client.until(lambda: not client.find_all(".things li"), "the token is still listed")

    client.go("#/settings/connections")
    client.labelled("Address (https)").send_keys("https://localhost/")
    client.press_button("Create a webhook")
    client.find("section:last-of-type .error")
    address = client.labelled("Address (https)")
    address.clear()
    address.send_keys("https://1.1.1.1/")
    client.press_button("Create a webhook")
    assert client.find(".created .secret").text.startswith("whsec_")
    client.press_button("https://1.1.1.1/ · on")
    client.press_button("Switch off")
    client.button("https://1.1.1.1/ · off")
    client.press_button("Delete the webhook “https://1.1.1.1/”")
    client.until(lambda: not client.find_all(".webhook"), "the webhook is still there")


@pytest.mark.proves("WEB-31")
def test_a_feed_is_made_shown_once_and_ended(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    person.call("POST", "/tasks", {"title": "dentist", "due": "2037-10-07"})
    client = Client(browser, shared_service)
    client.sign_in(person.email)
    client.go("#/settings/connections")
    client.set_value(client.labelled("Shown as"), "event")
    client.press_button("Create a feed")
    path = urlsplit(client.find(".created .secret").text).path
    calendar = person.server.request("GET", path)
    assert calendar.status == 200
    assert b"BEGIN:VEVENT" in calendar.body
    assert b"SUMMARY:dentist" in calendar.body
    browser.refresh()
    client.press_button("End the feed of “All lists”")
    client.until(lambda: not client.find_all(".things li"), "the feed is still listed")
    assert client.find_all(".created") == []
    assert person.server.request("GET", path).status == 404


@pytest.mark.proves("WEB-31")
def test_a_file_is_tried_and_imported_with_its_report(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser, tmp_path: Path
) -> None:
    file = tmp_path / "tasks.csv"
    file.write_text("title,due\nBuy seeds,2037-04-01\nNo such day,2037-02-30\n")
    client = Client(browser, shared_service)
    client.sign_in(person.email)
    client.go("#/settings/data")
    client.set_value(client.labelled("From"), "csv")
    client.labelled("File (10 MB at most)").send_keys(str(file))
    counts = {"Read": "2", "Created": "1", "Skipped": "0", "Failed": "1"}
    for is_tried in (True, False):
        client.press_button("Import")
        client.until(lambda: report(client).items() >= counts.items(), "there is no such report")
        assert any("Line 3" in each for each in texts(client.find_all(".entries li")))
        assert titles_of(person) == ([] if is_tried else ["Buy seeds"])
        client.find("input[type=checkbox][role=switch]").click()
    client.go("#/inbox")
    client.shows("Buy seeds")


def report(client: Client) -> dict[str, str]:
    """The counts of an import's report by their names."""
    script = (
        "return Object.fromEntries([...document.querySelectorAll('.counts div')]"
        ".map((each) => [...each.children].map(({textContent}) => textContent)))"
    )
    return cast("dict[str, str]", client.browser.execute_script(script))


@pytest.mark.proves("WEB-31")
def test_an_export_is_downloaded_and_the_account_deleted(
    open_browser: OpenBrowser, shared_service: Service, person: RemoteUser, tmp_path: Path
) -> None:
    person.create("=1+1")
    browser = open_browser()
    downloads = tmp_path / "downloads"
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)}
    )
    client = Client(browser, shared_service)
    client.sign_in(person.email)
    client.go("#/settings/data")
    client.press_button("Download")
    (path,) = client.until(lambda: list(downloads.glob("ownrow-*.json")), "no download")
    assert [each["title"] for each in json.loads(path.read_text())["tasks"]] == ["=1+1"]

    client.go("#/settings/account")
    client.press_button("Delete account")
    client.labelled("Your password").send_keys(PASSWORD)
    client.press_button("Delete my account")
    client.find("input[type=password]")
    client.write("input[type=email]", person.email)
    client.write("input[type=password]", PASSWORD)
    client.click(".entry button.primary")
    assert texts([client.find(".entry [role=alert] .error")]) != [""]


@pytest.mark.proves("WEB-31")
def test_a_link_for_a_new_password_is_asked_for(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    client = Client(browser, shared_service, "#/reset")
    client.write("input[type=email]", person.email)
    client.press_button("Send the link")
    sent = "If there is an account with this address, a link is on its way."
    client.until(lambda: client.find(".lead").text == sent, "nothing is said")
    client.go("#/reset?token=wrong")
    client.write("input[type=password]", "nine loud mountains")
    client.press_button("Save")
    client.find(".entry .error")
    client.go("#/verify?token=wrong")
    client.press_button("Confirm")
    client.find(".entry .error")

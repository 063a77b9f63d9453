"""The settings: zone, password, sessions, tokens, webhooks, export, the end of the account."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium import webdriver

from tests.support.api_user import PASSWORD
from tests.support.browser import needs_chromium
from tests.support.remote_user import RemoteUser
from tests.support.web import Service
from tests.web.browser.client import Client, texts

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

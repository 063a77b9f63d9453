"""The cookie of the web client in a real browser: kept, hidden from scripts, closed to others."""

from typing import Any

import pytest
from selenium import webdriver

from tests.support.api_user import PASSWORD
from tests.support.browser import Page, needs_chromium
from tests.support.remote_user import RemoteUser
from tests.support.web import Service

POST = """
const [path, body, done] = [arguments[0], arguments[1], arguments[2]];
fetch(path, {
  method: "POST",
  headers: {"Content-Type": "application/json"},
  body: JSON.stringify(body),
}).then(
  async (answer) => done([answer.status, await answer.json()]),
  (error) => done([0, String(error)]),
);
"""
REFRESH, LOGOUT = "/api/auth/refresh?cookie=true", "/api/auth/logout?cookie=true"

pytestmark = needs_chromium


def post(browser: webdriver.Chrome, path: str, body: Any = None) -> tuple[int, Any]:
    """The status and the body of a request of the page's own script; status 0 where none came."""
    status, answer = browser.execute_async_script(POST, path, body or {})
    return status, answer


def log_in(browser: webdriver.Chrome, service: Service, person: RemoteUser) -> None:
    Page(browser, f"{service.url}/docs")
    credentials = {"email": person.email, "password": PASSWORD}
    status, session = post(browser, "/api/auth/login?cookie=true", credentials)
    assert status == 200
    assert "refresh_token" not in session["data"]


@pytest.mark.proves("AUTH-170", "AUTH-171")
def test_the_browser_keeps_the_session_over_http_on_its_own_machine(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    log_in(browser, shared_service, person)
    assert browser.execute_script("return document.cookie") == ""
    browser.refresh()
    status, session = post(browser, REFRESH)
    assert (status, session["data"]["user"]["id"]) == (200, person.id)
    browser.switch_to.new_window("tab")
    browser.get(f"{shared_service.url}/docs")
    assert post(browser, REFRESH)[0] == 200
    assert post(browser, LOGOUT)[0] == 200
    assert post(browser, REFRESH)[0] == 401


@pytest.mark.proves("AUTH-172")
def test_a_page_of_another_site_cannot_use_the_session(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    log_in(browser, shared_service, person)
    elsewhere = shared_service.url.replace("127.0.0.1", "localhost")
    browser.get(f"{elsewhere}/livez")
    for path in (REFRESH, LOGOUT):
        browser.execute_script(
            "fetch(arguments[0], {method: 'POST', mode: 'no-cors', credentials: 'include'})",
            f"{shared_service.url}{path}",
        )
        assert post(browser, f"{shared_service.url}{path}")[0] == 0
    browser.get(f"{shared_service.url}/docs")
    assert post(browser, REFRESH)[0] == 200

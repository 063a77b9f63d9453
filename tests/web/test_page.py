"""The page in a real browser: what the policy lets run, and what it stops."""

import pytest
from selenium import webdriver

from tests.support.browser import Page, needs_chromium
from tests.support.web import Service
from tests.web.tools import needs_tools
from tests.web.tools.axe import violations

IMPORT = """
const done = arguments[arguments.length - 1];
Promise.all([import("preact"), import("preact/hooks"), import("htm"), import("idb")]).then(
  ([preact, hooks, htm, idb]) => done(
    [preact.h, hooks.useState, htm.default, idb.openDB].map((each) => typeof each)
  ),
  (error) => done(String(error)),
);
"""

pytestmark = needs_chromium


@pytest.mark.proves("WEB-3")
def test_the_libraries_load_under_the_policy(
    browser: webdriver.Chrome, shared_service: Service
) -> None:
    page = Page(browser, f"{shared_service.url}/app/")
    assert browser.execute_async_script(IMPORT) == ["function"] * 4
    assert page.errors() == []


@pytest.mark.proves("WEB-3")
@pytest.mark.parametrize(
    "html",
    [
        "<img src=x onerror='document.title = 1'>",
        "<img src='https://example.com/x.png'>",
        "<p style='color: red'>red</p>",
        "<iframe src='/docs'></iframe>",
    ],
)
def test_the_policy_stops_what_is_injected(
    browser: webdriver.Chrome, shared_service: Service, html: str
) -> None:
    page = Page(browser, f"{shared_service.url}/app/")
    browser.execute_script("document.body.insertAdjacentHTML('beforeend', arguments[0])", html)
    page.until(
        lambda: any("Content Security Policy" in each for each in page.errors()), "nothing stops it"
    )
    assert browser.title != "1"


def test_a_killed_service_starts_again_at_its_address(own_service: Service) -> None:
    before = own_service.url
    own_service.kill()
    with pytest.raises(ConnectionError):
        own_service.server.request("GET", "/livez")
    own_service.start()
    assert own_service.url == before
    assert own_service.server.request("GET", "/readyz").status == 200


@needs_tools
def test_axe_finds_what_is_wrong(browser: webdriver.Chrome, shared_service: Service) -> None:
    Page(browser, f"{shared_service.url}/app/")
    browser.execute_script("document.body.append(document.createElement('input'))")
    assert any(each.startswith("label: <input>") for each in violations(browser))

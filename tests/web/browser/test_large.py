"""10,000 tasks: something at once, usable while the rest loads, and a quick start afterwards."""

import pytest
from selenium import webdriver

from tests.support.browser import needs_chromium
from tests.support.remote_user import RemoteUser
from tests.support.web import Service
from tests.web.browser.client import FIRST_TASK, Client, create_many, titles_of

TASKS = 10_000
# The aims are 1,000 and 300 ms on a quiet machine; these bounds are for a slow and busy one.
FIRST_LOAD_MS, START_MS = 6_000, 3_000
MAX_ELEMENTS = 3_000

pytestmark = needs_chromium

SINCE_SIGN_IN = """
const done = arguments[arguments.length - 1];
const start = performance.now();
const look = () => document.querySelector("main .task")
  ? done(performance.now() - start) : requestAnimationFrame(look);
document.querySelector(".entry button.primary").click();
look();
"""


@pytest.mark.proves("WEB-28")
def test_ten_thousand_tasks_load_while_the_first_are_used_and_are_there_at_once_later(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    create_many(person, TASKS)
    client = Client(browser, shared_service, "#/inbox")
    client.write("input[type=email]", person.email)
    client.write("input[type=password]", "seven quiet rivers")
    first = browser.execute_async_script(SINCE_SIGN_IN)

    # usable meanwhile: what is added is there, and sent before the end of the load
    client.add("written during the load")
    client.until(lambda: "written during the load" in titles_of(person, "&q=during"), "not sent")
    client.saved()
    elements = browser.execute_script("return document.querySelectorAll('*').length")
    assert elements < MAX_ELEMENTS
    count = browser.execute_script(
        "return document.querySelector('main .windowed > li').getAttribute('aria-setsize')"
    )
    assert count == str(TASKS + 1)

    # to the end of the list, whose rows are made as they come into view
    browser.execute_script("scrollTo(0, document.documentElement.scrollHeight)")
    client.until(lambda: "written during the load" in client.titles(), "the end is not shown")

    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": FIRST_TASK})
    times = []
    for page in ("inbox", "today", "upcoming"):
        client.go("files.js")  # another document, so that the next one starts anew
        client.go(f"#/{page}")
        times.append(
            client.until(lambda: browser.execute_script("return window.firstTask"), "no task")
        )
    assert first < FIRST_LOAD_MS
    assert max(times) < START_MS, times

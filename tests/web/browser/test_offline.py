"""Offline and back, and a server that is killed in between."""

import pytest
from selenium import webdriver

from tests.support.browser import needs_chromium
from tests.support.remote_user import sign_up
from tests.support.web import Service
from tests.web.browser.client import FIRST_TASK, Client, task_of, titles_of

pytestmark = needs_chromium

CONTROLLED = "return navigator.serviceWorker.controller !== null"


@pytest.mark.proves("WEB-25")
def test_a_day_without_the_server_is_there_after_it_is_back(
    browser: webdriver.Chrome, own_service: Service
) -> None:
    person = sign_up(own_service.server)
    client = Client(browser, own_service, "#/inbox")
    client.sign_in(person.email)
    client.add("first", "second", "third #Home")
    client.saved()
    client.until(lambda: browser.execute_script(CONTROLLED), "no service worker")

    # the server is gone: everything goes on, a new start included
    own_service.kill()
    client.add("written offline", "bring the keys #Home @car")
    client.check("first")
    client.open_task("second")
    client.fill("Title", "second, changed")
    client.phase("offline")
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": FIRST_TASK})
    client.browser.refresh()
    client.shows("second, changed", "written offline")
    assert client.waiting() > 0
    client.go("#/search?q=keys")
    client.shows("bring the keys")
    client.go("#/today")
    client.go("#/inbox")

    # it is back: all of it is sent, once
    own_service.start()
    client.saved()
    assert sorted(titles_of(person, "&is_completed=false")) == sorted(
        ["second, changed", "third", "written offline", "bring the keys"]
    )
    keys, third = task_of(person, "bring the keys"), task_of(person, "third")
    assert keys["list_id"] == third["list_id"]
    assert len(keys["label_ids"]) == 1
    client.shows("second, changed", "written offline")


@pytest.mark.proves("WEB-25")
def test_changes_are_applied_once_whenever_the_server_is_killed(
    browser: webdriver.Chrome, own_service: Service
) -> None:
    person = sign_up(own_service.server)
    client = Client(browser, own_service, "#/inbox")
    client.sign_in(person.email)
    client.saved()
    wanted = []
    for number in range(4):
        title = f"task {number}"
        client.add(title)
        own_service.kill()  # before, while or after it is sent
        client.add(f"{title} again")
        wanted += [title, f"{title} again"]
        own_service.start()
    client.saved()
    assert sorted(titles_of(person)) == sorted(wanted)
    client.until(lambda: client.titles() == wanted, "the page lacks tasks")


@pytest.mark.proves("WEB-25")
def test_all_is_read_anew_where_the_sync_token_is_not_valid_any_more(
    browser: webdriver.Chrome, own_service: Service
) -> None:
    person = sign_up(own_service.server)
    client = Client(browser, own_service, "#/inbox")
    client.sign_in(person.email)
    client.add("stays", "goes")
    client.saved()
    break_token = """
      const done = arguments[arguments.length - 1];
      indexedDB.databases().then(([{name}]) => {
        indexedDB.open(name).onsuccess = ({target: {result: db}}) => {
          const tx = db.transaction(["meta", "task"], "readwrite");
          tx.objectStore("meta").put("no-token-of-this-server", "token");
          tx.objectStore("task").put({...arguments[0], id: "0199-foreign", title: "left over"});
          tx.oncomplete = () => { db.close(); done(); };
        };
      });
    """
    browser.execute_async_script(break_token, task_of(person, "stays"))
    client.browser.refresh()
    person.create("made elsewhere")
    client.until(lambda: "made elsewhere" in client.titles(), "the feed is not read")
    client.shows("stays", "goes", "made elsewhere")

"""Two tabs and two devices at once."""

import statistics
import time
from collections.abc import Callable

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.browser import needs_chromium
from tests.support.remote_user import RemoteUser
from tests.support.web import Service
from tests.web.browser.client import Client, change, task_of, texts, titles_of

pytestmark = needs_chromium

OpenBrowser = Callable[..., webdriver.Chrome]


@pytest.mark.proves("WEB-26")
def test_two_tabs_show_and_send_each_change_once(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    client = Client(browser, shared_service, "#/inbox")
    client.sign_in(person.email)
    client.saved()
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    second = browser.current_window_handle
    client.go("#/inbox")
    client.find("#quick-add")
    wanted = []
    for number in range(5):
        for tab in (first, second):
            browser.switch_to.window(tab)
            client.add(f"task {number} {tab == first}")
            wanted.append(f"task {number} {tab == first}")
    for tab in (first, second):
        browser.switch_to.window(tab)
        client.until(lambda: sorted(client.titles()) == sorted(wanted), "a tab lacks tasks")
        client.saved()
    assert sorted(titles_of(person)) == sorted(wanted)

    # signed out in one tab is signed out in the other
    browser.switch_to.window(second)
    client.go("#/settings")
    client.press_button("Sign out")
    client.find("input[type=password]")
    browser.switch_to.window(first)
    client.find("input[type=password]")
    assert client.titles() == []


@pytest.mark.proves("WEB-27")
def test_a_conflict_keeps_the_newer_text_and_offers_the_other(
    open_browser: OpenBrowser, shared_service: Service, person: RemoteUser
) -> None:
    person.create("plan the trip")
    client = Client(open_browser(), shared_service, "#/inbox")
    client.sign_in(person.email)
    client.open_task("plan the trip")
    client.saved()

    # this device is cut off; elsewhere the title and the priority change
    client.be_offline()
    client.fill("Title", "plan the trip to Rome")
    client.fill("Description", "by train")
    client.phase("offline")
    task = task_of(person, "plan the trip")
    change(
        person, {"op": "update", "id": task["id"], "title": "plan the trip to Oslo", "priority": 3}
    )
    client.be_offline(is_offline=False)
    client.saved()

    # the newer title stays, what did not collide is merged, and the other text is offered
    field = client.labelled("Title")
    client.until(
        lambda: field.get_attribute("value") == "plan the trip to Oslo", "not the newer one"
    )
    merged = task_of(person, "plan the trip to Oslo")
    assert (merged["description"], merged["priority"]) == ("by train", 3)
    assert texts(client.find_all(".panel .conflict blockquote")) == ["plan the trip to Rome"]
    client.press_button("Use mine", ".panel")
    client.until(lambda: "plan the trip to Rome" in titles_of(person), "mine was not sent")
    client.until(lambda: not client.find_all(".conflict"), "the conflict is still there")


@pytest.mark.proves("WEB-27")
def test_what_is_being_written_never_replaces_a_newer_text_in_silence(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    task = person.create("plan the trip")
    client = Client(browser, shared_service, "#/inbox")
    client.sign_in(person.email)
    client.open_task("plan the trip")

    # a pause has saved it, the field still has the focus, and it is changed elsewhere
    description = client.labelled("Description")
    description.send_keys("by train")
    client.until(lambda: task_of(person, "plan the trip")["description"] == "by train", "not saved")
    change(person, {"op": "update", "id": task["id"], "description": "by ship"})
    client.until(lambda: description.get_attribute("value") == "by ship", "not the newer one")

    # the title is changed elsewhere while it is written here
    title = client.labelled("Title")
    title.send_keys(" to Rome")
    change(person, {"op": "update", "id": task["id"], "title": "plan the trip to Oslo"})
    client.until(lambda: client.titles() == ["plan the trip to Oslo"], "not seen")
    assert title.get_attribute("value") == "plan the trip to Rome"
    title.send_keys(Keys.TAB)
    client.until(lambda: client.find_all(".conflict blockquote"), "no conflict is shown")
    assert texts(client.find_all(".conflict blockquote")) == ["plan the trip to Rome"]
    kept = task_of(person, "plan the trip to Oslo")
    assert kept["description"] == "by ship"


@pytest.mark.proves("WEB-26", "WEB-27")
def test_two_devices_see_each_other_and_race_for_one_task(
    open_browser: OpenBrowser, shared_service: Service, person: RemoteUser
) -> None:
    devices = []
    for _ in range(2):
        client = Client(open_browser(), shared_service, "#/inbox")
        client.sign_in(person.email)
        client.saved()
        devices.append(client)
    phone, desk = devices
    phone.add("wash the car")
    desk.until(lambda: desk.titles() == ["wash the car"], "the other device does not see it")

    # a change behind one without a condition, both made offline, meets a newer text as well
    phone.open_task("wash the car")
    phone.be_offline()
    phone.fill("Description", "and dry it")  # tried at once: what follows is the next batch
    phone.phase("offline")
    phone.check("wash the car")
    phone.fill("Title", "wash the bike")
    task = task_of(person, "wash the car")
    change(person, {"op": "update", "id": task["id"], "title": "wash the bus"})
    phone.be_offline(is_offline=False)
    phone.saved()
    assert task_of(person, "wash the bus")["is_completed"]
    assert texts(phone.find_all(".conflict blockquote")) == ["wash the bike"]
    phone.press_button("Dismiss", ".conflict")
    change(
        person, {"op": "update", "id": task["id"], "title": "wash the car", "is_completed": False}
    )
    phone.press_button("Close", ".panel")
    desk.until(lambda: desk.titles() == ["wash the car"], "the other device does not see it")
    phone.until(lambda: phone.titles() == ["wash the car"], "not seen")

    # both complete it, one of them after the other has deleted it
    phone.be_offline()
    phone.check("wash the car")
    phone.phase("offline")
    desk.open_task("wash the car")
    desk.press_button("Delete", ".panel")
    desk.until(lambda: titles_of(person) == [], "not deleted")
    phone.be_offline(is_offline=False)
    phone.saved()
    assert titles_of(person) == []
    assert phone.titles() == desk.titles() == []

    # an edit of what was deleted elsewhere is not lost without a word
    person.create("paint the door")
    phone.until(lambda: phone.titles() == ["paint the door"], "not seen")
    phone.open_task("paint the door")
    phone.be_offline()
    phone.fill("Title", "paint the blue door")
    phone.phase("offline")
    task = task_of(person, "paint the door")
    change(person, {"op": "delete", "id": task["id"]})
    phone.be_offline(is_offline=False)
    phone.saved()
    offered = phone.browser.find_elements(By.CSS_SELECTOR, ".conflict blockquote")
    assert texts(offered) == ["paint the blue door"]


@pytest.mark.proves("WEB-26")
def test_a_change_made_elsewhere_is_shown_within_two_seconds(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    client = Client(browser, shared_service, "#/inbox")
    client.sign_in(person.email)
    client.until(lambda: shared_service.open_streams() > 0, "it listens to no event stream")
    seconds = []
    titles: list[str] = []
    for number in range(5):
        titles.append(f"task {number}")
        began = time.monotonic()
        person.create(titles[-1])
        client.shows(*titles)
        seconds.append(time.monotonic() - began)
    assert statistics.median(seconds) < 2

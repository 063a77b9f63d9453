"""A day's work: order, keyboard, subtasks, repetition, labels, filters, search, trash."""

from datetime import UTC, datetime, timedelta

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.browser import needs_chromium
from tests.support.remote_user import RemoteUser
from tests.support.web import Service
from tests.web.browser.client import Client, change, task_of, texts, titles_of

pytestmark = needs_chromium


@pytest.mark.proves("WEB-23")
def test_tasks_are_ordered_by_keyboard_and_by_dragging(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    change(person, *({"op": "create", "title": title} for title in "abcd"))
    client = Client(browser, shared_service, "#/inbox")
    client.sign_in(person.email)
    client.shows("a", "b", "c", "d")

    # by keyboard alone: from the page into the list, along it, and with Alt to another place
    client.press("j", client.find("body"))
    client.until(lambda: client.focused() == "a", "the first task has no focus")
    client.press(Keys.ARROW_DOWN)
    client.until(lambda: client.focused() == "b", "the second task has no focus")
    ActionChains(browser).key_down(Keys.ALT).send_keys(Keys.ARROW_DOWN).key_up(Keys.ALT).perform()
    client.shows("a", "c", "b", "d")
    assert client.focused() == "b"
    client.press("k")
    client.until(lambda: client.focused() == "c", "the task above has no focus")
    client.press("x")
    client.shows("a", "b", "d")
    client.until(lambda: client.focused() == "b", "the next task has no focus")
    client.press(Keys.DELETE)
    client.shows("a", "d")
    client.press("z")
    client.shows("a", "b", "d")
    client.press("z")
    client.shows("a", "c", "b", "d")
    client.press("z")
    client.shows("a", "b", "c", "d")

    # by its handle, also onto another list
    handle = client.row("d").find_element(By.CSS_SELECTOR, ".handle")
    target = client.row("a")
    ActionChains(browser).click_and_hold(handle).move_to_element_with_offset(
        target, 0, -20
    ).move_by_offset(1, 1).pause(0.2).release().perform()
    client.shows("d", "a", "b", "c")
    wanted = ["d", "a", "b", "c"]
    client.until(lambda: titles_of(person, "&list_id=none") == wanted, "not sent")
    client.add("e #Home")
    client.saved()
    handle = client.row("a").find_element(By.CSS_SELECTOR, ".handle")
    ActionChains(browser).click_and_hold(handle).move_to_element(client.find(".nav-list")).pause(
        0.2
    ).release().perform()
    client.shows("d", "b", "c")
    client.click(".nav-list")
    client.shows("e", "a")


@pytest.mark.proves("WEB-24")
def test_a_task_is_planned_in_all_its_fields(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    today = datetime.now(UTC).date()
    weekday = f"{today + timedelta(days=1):%a}"[:2].upper()
    person.create("write the report")
    client = Client(browser, shared_service, "#/inbox")
    client.sign_in(person.email)
    client.open_task("write the report")
    client.fill("Description", "with figures")
    client.set_value(client.labelled("Due"), (today + timedelta(days=1)).isoformat())
    client.until(lambda: client.labelled("Time").is_enabled(), "a time cannot be set")
    client.set_value(client.labelled("Time"), "09:30")
    client.set_value(client.labelled("Priority", ".panel"), "2")
    client.set_value(client.labelled("Add a reminder"), "-PT30M")
    client.fill("Repeat", "every week")
    client.labelled("New label").send_keys("office", Keys.ENTER)
    for title in ("collect", "draw"):
        client.write(".subtasks input[type=text]", title)
        client.press(Keys.ENTER)
    client.until(lambda: len(client.find_all(".subtasks li")) == 2, "no subtasks")
    wanted = {
        "description": "with figures",
        "due": f"{today + timedelta(days=1)}T09:30:00",
        "priority": 2,
        "recurrence": f"FREQ=WEEKLY;BYDAY={weekday}",
        "reminders": [{"offset": "-PT30M", "relative_to": "due"}],
    }

    def planned() -> bool:
        task = task_of(person, "write the report")
        return {name: task[name] for name in wanted} == wanted and len(task["label_ids"]) == 1

    client.until(planned, "not all of it was sent")
    client.saved()
    task = task_of(person, "write the report")
    assert {task_of(person, title)["parent_id"] for title in ("collect", "draw")} == {task["id"]}

    # done for this week: it comes back with the next date, and says when it was done
    client.check("write the report")
    due = f"{today + timedelta(days=8)}T09:30:00"
    client.until(lambda: task_of(person, "write the report")["due"] == due, "not done")
    client.until(lambda: client.labelled("Due").get_attribute("value") == due[:10], "not moved")
    client.press_button("History", ".panel")
    client.until(lambda: "Done before" in texts(client.find_all(".history h3")), "no completions")
    client.press_button("Skip this date")
    later = str(today + timedelta(days=15))
    client.until(lambda: task_of(person, "write the report")["due"][:10] == later, "not skipped")


@pytest.mark.proves("WEB-24")
def test_a_task_is_found_by_label_filter_and_search_and_restored_from_the_trash(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    change(
        person,
        {"kind": "label", "op": "create", "ref": "a", "name": "office"},
        {
            "op": "create",
            "ref": "b",
            "title": "write the report",
            "description": "with figures",
            "label_ids": ["#a"],
            "priority": 2,
        },
        {"op": "create", "title": "collect", "parent_id": "#b"},
        {"op": "create", "title": "draw", "parent_id": "#b"},
    )
    client = Client(browser, shared_service)
    client.sign_in(person.email)
    client.click(".nav-label")
    client.shows("write the report")
    client.go("#/new-filter")
    client.labelled("Name").send_keys("Important")
    client.labelled("Query").send_keys("priority <= ")
    client.press_button("Create the filter")
    assert client.find(".editor .error").text
    client.labelled("Query").send_keys("2")
    client.press_button("Create the filter")
    client.shows("write the report")
    client.press("/", client.find("body"))
    client.find("[type=search]").send_keys("FIGURES rep")
    client.shows("write the report")

    # into the trash, with all that is below it, and back
    client.open_task("write the report")
    client.press_button("Delete", ".panel")
    client.until(lambda: titles_of(person) == [], "not deleted")
    client.go("#/trash")
    client.press_button("Restore “write the report”")
    wanted = ["collect", "draw", "write the report"]
    client.until(lambda: sorted(titles_of(person)) == wanted, "not restored")


@pytest.mark.proves("WEB-24")
def test_a_list_is_made_changed_archived_and_deleted(
    browser: webdriver.Chrome, shared_service: Service, person: RemoteUser
) -> None:
    client = Client(browser, shared_service, "#/new-list")
    client.sign_in(person.email)
    client.labelled("Name").send_keys("Garden")
    client.press_button("Create the list")
    client.until(lambda: client.find("h1").text == "Garden", "no list")
    client.add("plant a tree")
    client.press_button("Edit the list")
    client.write(".editor input[type=text]", "Orchard")
    client.press_button("Save", ".editor")
    client.until(lambda: client.find("h1").text == "Orchard", "not renamed")
    client.press_button("Edit the list")
    client.press_button("Archive", ".editor")
    client.until(lambda: not client.find_all(".nav-list"), "not archived")
    client.until(lambda: person.get("/lists?archived=true").json["data"], "not sent")
    (found,) = person.get("/lists").json["data"]
    assert found["title"] == "Orchard"
    client.press_button("Unarchive", ".editor")
    client.until(lambda: client.find_all(".nav-list"), "still archived")
    client.press_button("Delete", ".editor")
    client.says("Moved “Orchard” to the trash")
    client.undo()
    client.click(".nav-list")
    client.shows("plant a tree")

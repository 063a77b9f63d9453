"""What people do in the web client."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.api_user import PASSWORD
from tests.support.browser import Page
from tests.support.remote_user import RemoteUser
from tests.support.web import Service

ROW = "main .windowed > li .title"
BATCH = 100
# Notes when the first task of a page is on the screen, in milliseconds from the page's start.
FIRST_TASK = """
const look = () => {
  if (document.querySelector("main .task")) window.firstTask = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


class Client(Page):
    """The web client in a browser, and what somebody does in it."""

    def __init__(self, browser: webdriver.Chrome, service: Service, address: str = "") -> None:
        self.origin = service.url
        super().__init__(browser, f"{service.url}/app/{address}")

    def go(self, address: str) -> None:
        """Opens an address of the client, such as `#/today`."""
        self.browser.get(f"{self.origin}/app/{address}")

    def sign_up(self, email: str, password: str = PASSWORD) -> None:
        """Creates an account."""
        self.go("#/signup")
        self.write("input[type=email]", email)
        self.write("input[type=password]", password)
        self.click(".entry button.primary")
        self.find("#quick-add")

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Signs in."""
        self.write("input[type=email]", email)
        self.write("input[type=password]", password)
        self.click(".entry button.primary")
        self.find(".status")

    def add(self, *texts: str) -> None:
        """Adds tasks by the quick add."""
        for text in texts:
            self.write("#quick-add", text)
            self.press(Keys.ENTER, self.find("#quick-add"))
            self.until(
                lambda: self.find("#quick-add").get_attribute("value") == "", "the field is full"
            )

    def be_offline(self, *, is_offline: bool = True) -> None:
        """Cuts the page off from the network; requests do not pass the service worker any more."""
        self.browser.execute_cdp_cmd("Network.enable", {})
        self.browser.execute_cdp_cmd("Network.setBypassServiceWorker", {"bypass": True})
        super().be_offline(is_offline=is_offline)

    def press(self, keys: str, element: WebElement | None = None) -> None:
        """Presses keys where the focus is, or on an element."""
        (element or self.browser.switch_to.active_element).send_keys(keys)

    def titles(self) -> list[str]:
        """The titles of the tasks that the page shows, from above."""
        script = (
            "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
        )
        return cast("list[str]", self.browser.execute_script(script, ROW))

    def shows(self, *titles: str) -> None:
        """Waits until the page shows these tasks, in this order."""
        wanted = list(titles)
        self.until(lambda: self.titles() == wanted, f"the page does not show {wanted}")

    def row(self, title: str) -> WebElement:
        """The row of a task."""

        def found() -> WebElement | None:
            rows = self.browser.find_elements(By.CSS_SELECTOR, "main .windowed > li")
            return next(
                (
                    row
                    for row in rows
                    if title in texts(row.find_elements(By.CSS_SELECTOR, ".title"))
                ),
                None,
            )

        return self.until(found, f"there is no task {title!r}")

    def open_task(self, title: str) -> None:
        """Opens a task beside the page."""
        self.row(title).find_element(By.CSS_SELECTOR, "a.title").click()
        self.until(
            lambda: self.find(".panel .title-field input").get_attribute("value") == title,
            f"{title!r} is not open",
        )

    def check(self, title: str) -> None:
        """Completes or reopens a task by its checkbox."""
        self.row(title).find_element(By.CSS_SELECTOR, "input.check").click()

    def saved(self) -> None:
        """Waits until the server has everything and the client knows it."""
        self.until(
            lambda: self.browser.find_elements(
                By.CSS_SELECTOR, '.status[data-phase="idle"][data-waiting="0"]'
            ),
            "not everything is saved",
        )

    def waiting(self) -> int:
        """How many changes wait to be sent."""
        return int(self.find(".status").get_attribute("data-waiting") or 0)

    def phase(self, name: str) -> None:
        """Waits until the client is in a phase, such as `offline`."""
        self.until(
            lambda: self.browser.find_elements(By.CSS_SELECTOR, f'.status[data-phase="{name}"]'),
            f"the client is not {name}",
        )

    def says(self, text: str) -> None:
        """Waits for a notice."""
        self.until(
            lambda: any(text in each for each in texts(self.find_all(".notice"))),
            f"no notice says {text!r}",
        )

    def undo(self) -> None:
        """Undoes what the last notice offers."""
        self.find_all(".notice .link")[-1].click()

    def fill(self, label: str, text: str) -> None:
        """Replaces the text of a field of the open task, and leaves it."""
        field = self.labelled(label)
        field.send_keys(Keys.CONTROL + "a")
        field.send_keys(text or Keys.DELETE)
        field.send_keys(Keys.TAB)

    def labelled(self, label: str, within: str = "body") -> WebElement:
        """The field with this label."""

        def found() -> WebElement | None:
            for each in self.browser.find_elements(By.CSS_SELECTOR, f"{within} label[for]"):
                if (each.get_attribute("textContent") or "").strip() == label:
                    return self.browser.find_element(By.ID, each.get_attribute("for") or "")
            return None

        return self.until(found, f"no field is labelled {label!r}")

    def set_value(self, element: WebElement, value: str) -> None:
        """Sets a date, a time or a choice as the browser's own picker does."""
        script = (
            "arguments[0].value = arguments[1];"
            "for (const name of ['input', 'change'])"
            " arguments[0].dispatchEvent(new Event(name, {bubbles: true}));"
        )
        self.browser.execute_script(script, element, value)

    def button(self, text: str, within: str = "body") -> WebElement:
        """The visible button, or link, with this text or name."""

        def found() -> WebElement | None:
            for each in self.find_all(f"{within} :is(button, a, summary)"):
                if text in (each.text.strip(), each.get_attribute("aria-label")):
                    return each
            return None

        return self.until(found, f"there is no button {text!r}")

    def press_button(self, text: str, within: str = "body") -> None:
        """Clicks on a button."""
        element = self.button(text, within)
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def focused(self) -> str:
        """The text or the id of the element that has the focus."""
        script = "const e = document.activeElement; return e.id || e.textContent.trim()"
        return cast("str", self.browser.execute_script(script))


def texts(elements: Iterable[WebElement]) -> list[str]:
    """The texts of elements, also of those that are cut off."""
    return [(each.get_attribute("textContent") or "").strip() for each in elements]


def titles_of(user: RemoteUser, query: str = "") -> list[str]:
    """The titles of a user's tasks on the server, in their order."""
    answer = user.get(f"/tasks?sort=position&limit=200{query}")
    assert answer.status == 200, answer.body
    return [task["title"] for task in answer.json["data"]]


def task_of(user: RemoteUser, title: str) -> dict[str, Any]:
    """A user's task with this title, on the server."""
    answer = user.get("/tasks?sort=position&limit=200")
    (task,) = (each for each in answer.json["data"] if each["title"] == title)
    return cast("dict[str, Any]", task)


def change(user: RemoteUser, *operations: dict[str, Any]) -> list[dict[str, Any]]:
    """Applies a batch on the server, as another client does."""
    answer = user.call("POST", "/batch", {"operations": list(operations)})
    assert answer.status == 200, answer.body
    return cast("list[dict[str, Any]]", answer.json["data"]["results"])


def create_many(user: RemoteUser, count: int) -> None:
    """Creates tasks, each tenth of them due within the last or next days."""
    day = datetime.now(UTC).date()
    for start in range(0, count, BATCH):
        change(
            user,
            *(
                {
                    "op": "create",
                    "title": f"task {number}",
                    **(
                        {"due": (day + timedelta(days=number // 10 % 20 - 10)).isoformat()}
                        if number % 10 == 0
                        else {}
                    ),
                }
                for number in range(start, start + BATCH)
            ),
        )

"""`make screenshots`: pictures of six pages of the web client, in light, in dark and on a phone."""

import base64
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains

from app import devdb
from app.db import migrations
from tests.support.api_user import PASSWORD
from tests.support.browser import Page, chromium
from tests.support.remote_user import RemoteUser, sign_up
from tests.support.services import cluster_directory
from tests.support.web import Service

FOLDER = Path(__file__).resolve().parent.parent / "screenshots"
DESK, PHONE = (1100, 760), (390, 760)  # CSS pixels
LOOKS: Mapping[str, tuple[tuple[int, int], str]] = {
    "light": (DESK, "light"),
    "dark": (DESK, "dark"),
    "phone": (PHONE, "light"),
}
QUALITY = 80  # of WebP, in percent
PAGES = ("today", "upcoming", "list", "task", "filter", "settings")
LISTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "Home": {
        "Pay the rent": {"day": 0, "priority": 1, "recurrence": "FREQ=MONTHLY"},
        "Water the plants": {"day": 0, "recurrence": "FREQ=WEEKLY", "labels": ["garden"]},
        "Descale the kettle": {"day": -2},
        "Fix the tap": {"day": 5, "priority": 5},
        "Sort the cellar": {},
    },
    "Work": {
        "Slides for Monday": {"day": 0, "time": "15:30", "priority": 1, "labels": ["talk"]},
        "Review the offer": {"day": -1, "priority": 5, "labels": ["waiting"]},
        "Quarterly report": {"day": 2, "priority": 1},
        "Reply to the auditors": {"day": 1, "time": "09:00"},
        "Book a room for the workshop": {"day": 6, "labels": ["talk"]},
    },
    "Travel": {
        "Renew the passport": {"day": 3, "priority": 5},
        "Seats on the night train": {"day": 4, "labels": ["waiting"]},
        "Hotel in 東京": {"day": 9},
    },
}
OPEN_TASK, STEPS = "Slides for Monday", ("Draw the outline", "Ask Noor for the numbers", "Rehearse")


def main() -> None:
    """Replaces all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with (
        cluster_directory() as data,
        devdb.start(data, settings={"fsync": "off"}) as postgres,
        tempfile.TemporaryDirectory() as logs,
    ):
        migrations.upgrade(postgres.url())
        service = Service(postgres.url(), Path(logs))
        service.start()
        try:
            user = sign_up(service.server, "ada@example.com")
            pages = fill(user)
            for look, (size, scheme) in LOOKS.items():
                with chromium(Path(logs) / look) as browser:
                    for name, picture in pictures(browser, service, user, pages, size, scheme):
                        (FOLDER / f"{name}-{look}.webp").write_bytes(picture)
        finally:
            service.stop()


def fill(user: RemoteUser) -> dict[str, str]:
    """Makes lists, tasks and a filter; returns the address of each page by its name."""
    operations: list[dict[str, Any]] = []
    for title, tasks in LISTS.items():
        operations.append({"kind": "list", "op": "create", "ref": title, "title": title})
        operations += [
            {"op": "create", "title": name, "list_id": f"#{title}", **fields(about)}
            for name, about in tasks.items()
        ]
    next(each for each in operations if each["title"] == OPEN_TASK)["ref"] = "open"
    steps = [{"op": "create", "title": each, "parent_id": "#open"} for each in STEPS]
    query = 'has label "waiting" or priority in (1)'
    saved = {"kind": "filter", "op": "create", "title": "Matters now", "query": query}
    made = user.call("POST", "/batch", {"operations": [*operations, *steps, saved]})
    assert made.status == 200, made.body
    ids = {each["title"]: each["id"] for each in made.json["data"]["results"]}
    addresses = (
        "#/today",
        "#/upcoming",
        f"#/list/{ids['Home']}",
        f"#/list/{ids['Work']}?task={ids[OPEN_TASK]}",
        f"#/filter/{ids['Matters now']}",
        "#/settings",
    )
    return dict(zip(PAGES, addresses, strict=True))


def fields(about: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a task, whose day is counted from today."""
    given = {name: value for name, value in about.items() if name not in ("day", "time")}
    if "day" in about:
        day = date.today() + timedelta(days=about["day"])  # noqa: DTZ011  # the browser's today
        given["due"] = f"{day}T{about['time']}" if "time" in about else str(day)
    return given


def pictures(
    browser: webdriver.Chrome,
    service: Service,
    user: RemoteUser,
    pages: Mapping[str, str],
    size: tuple[int, int],
    scheme: str,
) -> Iterator[tuple[str, bytes]]:
    """The name and the picture of each page, as that user sees it."""
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    page = Page(browser, f"{service.url}/app/")
    page.be_sized(*size)
    page.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    page.write("input[type=email]", user.email)
    page.write("input[type=password]", PASSWORD)
    page.click("button.primary")
    page.find("main .title")  # of a task
    ActionChains(browser).move_to_element(page.find("main h1")).perform()  # nothing is hovered over
    for name, address in pages.items():
        browser.execute_script("location.hash = arguments[0]", address)
        page.until(page.is_still, f"{name} does not come to rest")
        taken = browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "webp", "quality": QUALITY}
        )
        yield name, base64.b64decode(taken["data"])


if __name__ == "__main__":
    main()

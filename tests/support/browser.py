"""Chromium without a window, driven by Selenium, and what a user does on a page in it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
TIMEOUT = 60  # seconds
PHONE = (390, 844)  # CSS pixels
ARGUMENTS = (
    "headless=new",
    "no-sandbox",  # which root cannot have
    "disable-gpu",
    "disable-dev-shm-usage",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "no-first-run",
)

STILL = """
const done = arguments[arguments.length - 1];
const observer = new MutationObserver(() => { observer.disconnect(); done(false); });
observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
setTimeout(() => { observer.disconnect(); done(true); }, 250);
"""

Found = TypeVar("Found")

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="no Chromium here: apt-get install chromium chromium-driver",
)


@contextmanager
def chromium(profile: Path, *arguments: str) -> Iterator[webdriver.Chrome]:
    """A browser with this profile directory, which keeps its console's messages.

    `arguments` are further switches, without their dashes.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (*ARGUMENTS, *arguments):
        options.add_argument(f"--{argument}")
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """A page and what a user does on it; elements are waited for."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self.browser = browser
        browser.get(url)

    def until(self, condition: Callable[[], Found | None], message: str) -> Found:
        """What the condition returns, once that is true; an element may be replaced meanwhile."""
        waiting = WebDriverWait(
            self.browser, TIMEOUT, 0.05, ignored_exceptions=[StaleElementReferenceException]
        )
        return cast("Found", waiting.until(lambda _: condition(), message))

    def find_all(self, selector: str) -> list[WebElement]:
        """The elements that are visible now."""
        found = self.browser.find_elements(By.CSS_SELECTOR, selector)
        return [each for each in found if each.is_displayed()]

    def find(self, selector: str) -> WebElement:
        """The element, once it is visible."""

        def visible() -> WebElement | None:
            return next(iter(self.find_all(selector)), None)

        return self.until(visible, f"{selector} is not visible")

    def click(self, selector: str) -> None:
        """Clicks on the element, scrolled into view."""
        element = self.find(selector)
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def write(self, selector: str, text: str) -> None:
        """Replaces the field's text."""
        field = self.find(selector)
        field.clear()
        field.send_keys(text)

    def be_a_phone(self) -> None:
        """Gives the page the size and the properties of a phone's screen."""
        self.be_sized(*PHONE, scale=2, is_mobile=True)

    def be_sized(
        self, width: int, height: int, *, scale: float = 1, is_mobile: bool = False
    ) -> None:
        """Gives the page a size in CSS pixels, each of `scale` pixels of the screen."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale}
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**metrics, "mobile": is_mobile}
        )

    def is_still(self) -> bool:
        """Whether the document stays as it is for a quarter of a second."""
        found: bool = self.browser.execute_async_script(STILL)
        return found

    def be_offline(self, *, is_offline: bool = True) -> None:
        """Cuts the page off from the network, not its service worker: for that stop the server."""
        self.browser.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {
                "offline": is_offline,
                "latency": 0,
                "downloadThroughput": -1,
                "uploadThroughput": -1,
            },
        )

    def prefer(self, **features: str) -> None:
        """Sets media features, such as prefers_color_scheme="dark"."""
        media = [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
        ]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})

    def widths(self) -> tuple[int, int]:
        """How wide the document and the window are, in CSS pixels."""
        document, window = self.browser.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        return document, window

    def errors(self) -> list[str]:
        """The errors in the console since the last call."""
        logged = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in logged]

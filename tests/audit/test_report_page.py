"""The report's page in a real browser: search, filters, links, phone, paper, no script."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from app.audit.exemptions import EXEMPTIONS
from app.audit.report.page import as_html
from tests.support.audited import TEXTS
from tests.support.browser import chromium, needs_chromium
from tests.support.reports import Reports

PHONE = (390, 844)  # CSS pixels
TIMEOUT = 20  # seconds
CODE = '<script>document.title = 1</script><img src=x onerror="document.title = 1">'

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


class Page:
    """The page of all statements, two of them with findings, as a reader sees it."""

    def __init__(self, browser: webdriver.Chrome, file: Path, reports: Reports) -> None:
        self.browser = browser
        self.url = file.as_uri()
        entries = [*reports.report().entries, reports.unbound(), reports.hostile(CODE)]
        file.write_text(as_html(reports.report(*entries)))

    def open(self, fragment: str = "") -> None:
        self.browser.get("about:blank")
        self.browser.get(f"{self.url}{fragment}")

    def find(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def statements(self) -> list[str]:
        """The files of the statements that are visible."""
        visible: list[str] = self.browser.execute_script(
            "const all = [...document.querySelectorAll('#statements details')];"
            "return all.filter((each) => each.checkVisibility()).map((each) => each.id)"
        )
        return visible

    def count(self) -> str:
        return self.find("#count").text

    def search(self, text: str) -> None:
        self.find("[name=search]").clear()
        self.find("[name=search]").send_keys(text)

    def choose(self, name: str, option: str) -> None:
        Select(self.find(f"[name={name}]")).select_by_visible_text(option)

    def emulate(self, command: str, **parameters: object) -> None:
        self.browser.execute_cdp_cmd(f"Emulation.{command}", parameters)


@pytest.fixture
def page(shared_browser: webdriver.Chrome, reports: Reports, tmp_path: Path) -> Iterator[Page]:
    page = Page(shared_browser, tmp_path / "audit.html", reports)
    page.open()
    yield page
    logged = shared_browser.get_log("browser")  # type: ignore[no-untyped-call]
    page.emulate("setScriptExecutionDisabled", value=False)
    page.emulate("clearDeviceMetricsOverride")
    page.emulate("setEmulatedMedia", media="")
    assert [each["message"] for each in logged] == []


ALL = len(TEXTS) + 2


def test_words_are_searched_in_texts_and_names(page: Page) -> None:
    assert (len(page.statements()), page.count()) == (ALL, f"{ALL} statements")
    page.search("TRASH ledger/list_t")
    assert page.statements() == ["sql/ledger/list_trash.sql"]
    assert page.count() == f"1 of {ALL} statements match"
    page.search("no such words")
    assert (page.statements(), page.count()) == ([], f"0 of {ALL} statements match")


def test_filters_are_combined_and_reset(page: Page) -> None:
    page.choose("kind", "writes")
    writing = page.statements()
    assert "sql/tasks/create.sql" in writing
    assert "sql/tasks/get.sql" not in writing
    page.choose("table", "idempotency_keys")
    assert page.statements() == [
        "sql/idempotency/delete_expired_keys.sql",
        "sql/idempotency/find_response.sql",
        "sql/idempotency/store_response.sql",
    ]
    page.find("[type=reset]").click()
    WebDriverWait(page.browser, TIMEOUT).until(lambda _: page.count() == f"{ALL} statements")
    assert len(page.statements()) == ALL


def test_findings_exemptions_and_entry_points_are_filters(page: Page) -> None:
    page.find("[name=findings]").click()
    assert page.statements() == ["sql/tasks/leak.sql"]
    page.find("[name=findings]").click()
    page.find("[name=exempt]").click()
    assert "sql/auth/record_refusal.sql" in page.statements()
    assert len(page.statements()) == len(EXEMPTIONS) + 1
    page.choose("entry_point", CODE)
    assert page.statements() == ["sql/tasks/hostile.sql"]


def test_a_link_opens_its_statement_even_if_it_is_filtered_out(page: Page) -> None:
    page.search("record_refusal")
    page.browser.execute_script("arguments[0].click()", page.find("#summary .bad a"))
    text = page.find("[id='sql/tasks/leak.sql'] pre")
    WebDriverWait(page.browser, TIMEOUT).until(lambda _: text.is_displayed())
    assert page.count() == f"{ALL} statements"
    page.open("#sql/tasks/get.sql")
    assert page.find("[id='sql/tasks/get.sql'] mark").text == "owner_id = %(owner_id)s"


def test_code_in_a_statement_does_not_run(page: Page) -> None:
    page.open("#sql/tasks/hostile.sql")
    assert CODE in page.find("[id='sql/tasks/hostile.sql'] pre").text
    assert page.browser.title == "Ownrow ownership audit: 1 finding"


def test_without_scripts_everything_can_be_read(page: Page) -> None:
    page.emulate("setScriptExecutionDisabled", value=True)
    page.open()
    assert len(page.statements()) == ALL
    assert not page.find("#filter").is_displayed()
    statement = page.find("[id='sql/tasks/get.sql']")
    statement.find_element(By.CSS_SELECTOR, "summary").click()
    assert statement.find_element(By.CSS_SELECTOR, "mark").is_displayed()


def test_the_page_fits_a_phone_and_cuts_no_parameter(page: Page) -> None:
    width, height = PHONE
    page.emulate(
        "setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=True
    )
    page.open()
    page.find("#open").click()
    sizes = "return [document.documentElement.scrollWidth, window.innerWidth]"
    assert page.browser.execute_script(sizes) == [width, width]
    lines = page.browser.execute_script(
        "const found = [...document.querySelectorAll('.whole')];"
        "return found.map((each) => each.getClientRects().length)"
    )
    assert {*lines} == {1}


def test_paper_shows_all_texts_and_no_controls(page: Page) -> None:
    page.emulate("setEmulatedMedia", media="print")
    # Selenium calls what is in a closed <details> invisible, whatever the style sheet does.
    shown = page.browser.execute_script(
        "const texts = [...document.querySelectorAll('#statements pre')];"
        "return texts.map((each) => each.checkVisibility())"
    )
    assert shown == [True] * ALL
    assert not page.find("#filter").is_displayed()
    assert not page.find("nav").is_displayed()
    row = page.browser.execute_script(
        "return getComputedStyle(document.querySelector('tbody tr')).breakInside"
    )
    assert row == "avoid"


def test_a_table_has_a_caption_and_a_field_a_label(page: Page) -> None:
    tables = page.browser.find_elements(By.CSS_SELECTOR, "table")
    assert len(tables) == 4
    assert all(each.find_elements(By.TAG_NAME, "caption") for each in tables)
    fields = page.browser.find_elements(By.CSS_SELECTOR, "form input, form select")
    assert [each.accessible_name for each in fields] == [
        "Search", "Kind", "Table", "Run by", "with findings", "exempt",
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrasts_with_the_page(page: Page, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.emulate("setEmulatedMedia", features=[feature])
    for selector in ("body", ".fact", ".good, .bad", "mark", "a"):
        assert contrast(page, selector) >= 4.5, selector


def contrast(page: Page, selector: str) -> float:
    """The contrast ratio of WCAG between the first such element's text and what is behind it."""
    colours = page.browser.execute_script(
        """
        let element = document.querySelector(arguments[0]);
        const text = getComputedStyle(element).color;
        const behind = (each) => getComputedStyle(each).backgroundColor;
        while (behind(element) === "rgba(0, 0, 0, 0)") element = element.parentElement;
        return [text, behind(element)].map((each) => each.match(/\\d+/g).slice(0, 3).map(Number));
        """,
        selector,
    )
    dark, light = sorted(luminance(*colour) for colour in colours)
    return (light + 0.05) / (dark + 0.05)


def luminance(*channels: int) -> float:
    shares = [channel / 255 for channel in channels]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

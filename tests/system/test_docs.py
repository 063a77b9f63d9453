"""/docs in a real browser: from registration to a task by clicking."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from flask.testing import FlaskClient
from selenium import webdriver
from selenium.webdriver.common.by import By

import app as service
from app.system.docs import FILES
from tests.support.browser import PHONE, Page, chromium, needs_chromium
from tests.support.server import Server


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path / "profile") as driver:
        driver.set_window_size(1280, 1000)
        yield driver


class Docs(Page):
    """The docs page and what a user does on it."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        super().__init__(browser, f"{url}/docs")
        self.find("#operations-Accounts-register")

    def open(self, operation: str) -> str:
        """Opens an operation of `Tag-operationId`; returns its selector."""
        self.click(f"#operations-{operation} .opblock-summary-control")
        return f"#operations-{operation}"

    def execute(self, block: str) -> tuple[int, dict[str, object]]:
        """Sends the request of an open operation; returns the status and body on the page."""
        self.click(f"{block} .execute")
        answer = f"{block} .live-responses-table"
        status = int(self.find(f"{answer} tr.response td.response-col_status").text.split()[0])
        return status, orjson.loads(self.find(f"{answer} .highlight-code code").text)

    def errors(self) -> list[str]:
        """The errors in the console and on the page."""
        shown = self.browser.find_elements(By.CSS_SELECTOR, ".errors-wrapper, .version-pragma")
        return [*super().errors(), *(box.text for box in shown)]


@pytest.mark.proves("DOC-10")
@needs_chromium
@pytest.mark.slow
def test_a_user_can_register_authorise_create_and_read_on_the_page(
    browser: webdriver.Chrome, server: Server
) -> None:
    page = Docs(browser, server.url)
    credentials = {"email": f"{uuid4().hex}@example.com", "password": "seven quiet rivers"}

    block = page.open("Accounts-register")
    page.write(f"{block} textarea", orjson.dumps(credentials).decode())
    assert page.execute(block)[0] == 201

    block = page.open("Accounts-logIn")
    page.write(f"{block} textarea", orjson.dumps(credentials).decode())
    status, session = page.execute(block)
    assert status == 200

    page.click(".auth-wrapper .authorize")
    page.write(".modal-ux input", session["data"]["access_token"])  # type: ignore[index]
    page.click(".modal-ux .authorize")
    page.click(".modal-ux .btn-done")

    block = page.open("Tasks-createTask")
    page.write(f"{block} textarea", '{"title": "Read the docs"}')
    status, made = page.execute(block)
    assert status == 201

    block = page.open("Tasks-getTask")
    page.write(f"{block} tr[data-param-name='task_id'] input", made["data"]["id"])  # type: ignore[index]
    status, read = page.execute(block)
    assert (status, read["data"]) == (200, made["data"])

    assert page.errors() == []
    page.click("header a[href='app/']")
    page.until(lambda: browser.current_url.startswith(f"{server.url}/app/") or None, "no client")


@pytest.mark.proves("DOC-11")
@needs_chromium
def test_the_page_fits_a_phone(browser: webdriver.Chrome, server: Server) -> None:
    page = Docs(browser, server.url)
    page.be_a_phone()
    page.open("Tasks-listTasks")
    page.find("#operations-Tasks-listTasks .execute")
    assert page.widths() == (PHONE[0], PHONE[0])
    assert page.errors() == []


@pytest.mark.proves("DOC-10")
def test_the_page_has_no_inline_script_or_style(client: FlaskClient) -> None:
    answer = client.get("/docs")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?! src=)|<style| style=| on\w+=|javascript:", answer.text)


@pytest.mark.proves("DOC-10")
def test_the_page_loads_only_files_of_the_service(client: FlaskClient) -> None:
    page = client.get("/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    client_files = {"app/", "app/icon.svg"}
    linked = {"docs", "openapi.json"}
    assert {path.removeprefix("docs/") for path in loaded} == {*FILES, *linked, *client_files}
    assert all(client.get(f"/{path}").status_code == 200 for path in loaded)


def test_a_file_that_the_browser_has_is_a_304(client: FlaskClient) -> None:
    tag = client.get("/docs/swagger-ui-bundle.js").headers["ETag"]
    again = client.get("/docs/swagger-ui-bundle.js", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("file", ["index.html", "swagger-ui.js", "..%2froutes.py", "x"])
def test_no_other_file_is_served(client: FlaskClient, file: str) -> None:
    assert client.get(f"/docs/{file}").status_code == 404


@pytest.mark.proves("DOC-12")
def test_every_link_of_the_index_works(client: FlaskClient) -> None:
    index = client.get("/").get_json()["data"]
    assert (index["name"], index["version"]) == ("Ownrow", service.__version__)
    assert index["links"].keys() >= {"docs", "openapi", "register", "login", "tasks"}
    assert all(client.options(path).status_code == 200 for path in index["links"].values())


BROWSERS = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "text/html",
    "application/json;q=0.5, text/html",
]
PROGRAMS = [None, "", "*/*", "application/json", "application/json, text/html;q=0.9", "text/plain"]


@pytest.mark.proves("WEB-6")
@pytest.mark.parametrize("accepted", BROWSERS)
def test_the_index_leads_a_browser_to_the_web_client(client: FlaskClient, accepted: str) -> None:
    answer = client.get("/", headers={"Accept": accepted})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/app/")
    assert (answer.data, answer.headers["Vary"]) == (b"", "Accept")


@pytest.mark.proves("WEB-6")
@pytest.mark.parametrize("accepted", PROGRAMS)
def test_the_index_is_json_for_a_program(client: FlaskClient, accepted: str | None) -> None:
    answer = client.get("/", headers={} if accepted is None else {"Accept": accepted})
    assert (answer.status_code, answer.headers["Vary"]) == (200, "Accept")
    assert answer.get_json()["data"]["links"]["app"] == "/app/"

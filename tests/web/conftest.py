"""The web client in real browsers, each with a profile of its own, on a service with a worker."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium import webdriver

from tests.support.browser import chromium
from tests.support.remote_user import RemoteUser, sign_up
from tests.support.web import Service

OpenBrowser = Callable[..., webdriver.Chrome]


@pytest.fixture(scope="session")
def shared_service(
    served_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service that tests share: create users, but do not stop it."""
    service = Service(served_database_url, tmp_path_factory.mktemp("web"))
    service.start()
    yield service
    service.stop()


@pytest.fixture
def own_service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    """A service for this test alone, which may kill it and start it again."""
    service = Service(database_url, tmp_path)
    service.start()
    yield service
    service.stop()


@pytest.fixture
def person(shared_service: Service) -> RemoteUser:
    """A new account of the shared service."""
    return sign_up(shared_service.server)


@pytest.fixture
def open_browser(tmp_path: Path) -> Iterator[OpenBrowser]:
    """Opens a browser with an empty profile at each call: a device of its own.

    Its arguments are switches of Chromium, such as `lang=de`.
    """
    with ExitStack() as browsers:

        def start(*arguments: str) -> webdriver.Chrome:
            count = len(list(tmp_path.glob("profile-*")))
            profile = tmp_path / f"profile-{count}"
            browser = browsers.enter_context(chromium(profile, *arguments))
            browser.set_window_size(1280, 1000)
            return browser

        yield start


@pytest.fixture
def browser(open_browser: OpenBrowser) -> webdriver.Chrome:
    """A browser with an empty profile."""
    return open_browser()

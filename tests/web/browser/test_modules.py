"""The modules of the web client: what a start reads, and where texts are."""

import json
import re
from posixpath import dirname, join, normpath

import pytest

from app.web.files import STATIC

IMPORT = re.compile(r'^(?:import|export)\b[^;"]*?from "([^"]+)";', re.MULTILINE)
PAGE = (STATIC / "index.html").read_text()


def imported() -> set[str]:
    """The modules that `app.js` imports, and those that these import, itself left out."""
    (text,) = re.findall(r'<script type="importmap">(.*?)</script>', PAGE, re.DOTALL)
    names = {name: path.removeprefix("./") for name, path in json.loads(text)["imports"].items()}
    found: set[str] = set()
    waiting = ["app.js"]
    while waiting:
        module = waiting.pop()
        for name in IMPORT.findall((STATIC / module).read_text()):
            path = names.get(name) or normpath(join(dirname(module), name))
            if path not in found:
                found.add(path)
                waiting.append(path)
    return found


@pytest.mark.proves("WEB-4")
def test_the_page_preloads_exactly_the_modules_that_a_start_imports() -> None:
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)">', PAGE)
    assert preloaded == sorted(imported())


@pytest.mark.proves("WEB-30")
def test_no_page_writes_html_that_is_made_of_text() -> None:
    for path in STATIC.glob("*/*.js"):
        if path.parent.name != "vendor":
            text = path.read_text()
            assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)

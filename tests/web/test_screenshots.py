"""The README shows the pictures that `make screenshots` takes: six pages, three looks each."""

import re

import pytest

from tests.support.server import ROOT
from tests.web.tools.screenshots import FOLDER, LOOKS, PAGES

LARGEST = 50_000  # bytes
NAMES = {f"{page}-{look}.webp" for page in PAGES for look in LOOKS}


@pytest.mark.proves("WEB-8")
def test_the_readme_shows_every_picture() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r'(?:src|srcset)="([^"]+)"', readme)
    folder = FOLDER.relative_to(ROOT).as_posix()
    assert sorted(shown) == sorted(f"{folder}/{name}" for name in NAMES)


@pytest.mark.proves("WEB-8")
def test_the_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert sizes.keys() == NAMES
    assert max(sizes.values()) < LARGEST

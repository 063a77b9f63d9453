"""The vendored libraries are npm's packages unchanged: versions, hashes and licences."""

import gzip
import json

import pytest

from tests.web.tools import MODULES, TOOLS, needs_tools
from tests.web.tools.vendor import LIBRARIES, RECORD, VENDOR, record, sha256

RECORDED = json.loads(RECORD.read_text(encoding="utf-8"))
FILES = {name: entry for each in RECORDED.values() for name, entry in each["files"].items()}


@pytest.mark.proves("WEB-5")
def test_the_files_are_those_of_the_record() -> None:
    assert {path.name for path in VENDOR.iterdir()} == {*FILES, RECORD.name}
    assert {name: sha256(name) for name in FILES} == {
        name: entry["sha256"] for name, entry in FILES.items()
    }


@pytest.mark.proves("WEB-5")
def test_the_record_has_the_pinned_versions() -> None:
    pinned = json.loads((TOOLS / "package.json").read_text())["dependencies"]
    assert {package: each["version"] for package, each in RECORDED.items()} == pinned
    locked = json.loads((TOOLS / "package-lock.json").read_text())["packages"]
    for package, version in pinned.items():
        entry = locked[f"node_modules/{package}"]
        assert entry["version"] == version
        assert entry["integrity"].startswith("sha512-")


@pytest.mark.proves("WEB-5")
@needs_tools
def test_the_files_are_those_of_the_packages() -> None:
    assert record() == RECORDED
    for package, files in LIBRARIES.items():
        for name, source in files.items():
            assert (VENDOR / name).read_bytes() == (MODULES / package / source).read_bytes()


@pytest.mark.proves("WEB-5")
def test_each_library_has_its_licence_beside_it() -> None:
    for package, each in RECORDED.items():
        assert each["license"] in ("MIT", "ISC", "Apache-2.0")
        (name,) = (name for name in each["files"] if name.endswith(".license.txt"))
        assert "permi" in (VENDOR / name).read_text(), package


@pytest.mark.proves("WEB-5")
def test_the_libraries_are_small() -> None:
    sent = [path for path in VENDOR.iterdir() if path.suffix in (".js", ".css")]
    assert sum(len(gzip.compress(path.read_bytes())) for path in sent) < 22_000

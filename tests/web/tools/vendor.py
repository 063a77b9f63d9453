"""`make vendor`: copies the web client's libraries out of npm's packages, and records them.

The packages' versions are in package.json, and the hashes that npm checks in package-lock.json. The
copies are served as they came, with their licences beside them.
"""

import hashlib
import json
import shutil
from typing import Any

from app.web.files import STATIC
from tests.web.tools import MODULES

VENDOR = STATIC / "vendor"
RECORD = VENDOR / "versions.json"
# The package, and its files by the names that they get.
LIBRARIES = {
    "@picocss/pico": {"pico.css": "css/pico.classless.min.css", "pico.license.txt": "LICENSE.md"},
    "htm": {"htm.js": "dist/htm.module.js", "htm.license.txt": "LICENSE"},
    "idb": {"idb.js": "build/index.js", "idb.license.txt": "LICENSE"},
    "preact": {
        "preact.js": "dist/preact.mjs",
        "hooks.js": "hooks/dist/hooks.mjs",
        "preact.license.txt": "LICENSE",
    },
}


def copy() -> None:
    """Replaces the vendored files by those of the installed packages, and writes the record."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir()
    for package, files in LIBRARIES.items():
        for name, source in files.items():
            shutil.copyfile(MODULES / package / source, VENDOR / name)
    RECORD.write_text(json.dumps(record(), indent=2) + "\n", encoding="utf-8")


def record() -> dict[str, Any]:
    """Each package's version and licence, and the SHA-256 of each vendored file of it."""
    return {package: _described(package) for package in LIBRARIES}


def _described(package: str) -> dict[str, Any]:
    about = json.loads((MODULES / package / "package.json").read_text(encoding="utf-8"))
    return {
        "version": about["version"],
        "license": about["license"],
        "files": {
            name: {"source": source, "sha256": sha256(name)}
            for name, source in LIBRARIES[package].items()
        },
    }


def sha256(name: str) -> str:
    """The hash of a vendored file in hexadecimal digits."""
    return hashlib.sha256((VENDOR / name).read_bytes()).hexdigest()


if __name__ == "__main__":
    copy()

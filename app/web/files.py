"""The files of the web client, in memory with their hashes, and the policy that they run under."""

import base64
import gzip
import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import orjson

STATIC = Path(__file__).resolve().parent / "static"
PAGE, SERVICE_WORKER, LISTING = "index.html", "sw.js", "files.js"
# The media type, and whether compression gains anything.
MEDIA_TYPES = {
    ".css": ("text/css; charset=utf-8", True),
    ".html": ("text/html; charset=utf-8", True),
    ".js": ("text/javascript; charset=utf-8", True),
    ".json": ("application/json", True),
    ".png": ("image/png", False),
    ".svg": ("image/svg+xml", True),
    ".txt": ("text/plain; charset=utf-8", True),
    ".webmanifest": ("application/manifest+json", True),
}
NOT_LISTED = (".json", ".txt")  # records and licences of the libraries, which no module loads
IMPORT_MAP = re.compile(rb'<script type="importmap">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class File:
    """A file's bytes, the same by gzip where that is smaller, and its hash."""

    body: bytes
    gzipped: bytes | None
    media_type: str
    digest: bytes  # SHA-256


@dataclass(frozen=True)
class Client:
    """All files by their paths below /app/, where the page has none, and their policy."""

    files: Mapping[str, File]
    policy: str  # Content-Security-Policy


def client() -> Client:
    """The web client, read at first use; within a second of a change of its files, read anew."""
    return _look(STATIC, int(time.monotonic()))


@lru_cache(1)
def _look(folder: Path, _second: int) -> Client:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in MEDIA_TYPES)
    return _read(folder, tuple((path, path.stat().st_mtime_ns) for path in paths))


@lru_cache(1)
def _read(folder: Path, stamps: tuple[tuple[Path, int], ...]) -> Client:
    files = {
        path.relative_to(folder).as_posix(): _file(path.read_bytes(), path.suffix)
        for path, _ in stamps
    }
    files[""] = files.pop(PAGE)
    files[LISTING] = _file(_listing(files), ".js")
    return Client(files, _policy(files[""].body))


def _file(body: bytes, suffix: str) -> File:
    media_type, is_compressible = MEDIA_TYPES[suffix]
    gzipped = gzip.compress(body, mtime=0) if is_compressible else None
    return File(body, gzipped, media_type, hashlib.sha256(body).digest())


def _listing(files: Mapping[str, File]) -> bytes:
    """A script that tells the service worker each file and its hash (Subresource Integrity).

    A change of any file changes this script, so that browsers install the service worker anew.
    """
    hashes = {
        name: _integrity(file.digest)
        for name, file in files.items()
        if name != SERVICE_WORKER and not name.endswith(NOT_LISTED)
    }
    return b"self.FILES = " + orjson.dumps(hashes, option=orjson.OPT_INDENT_2) + b";\n"


def _policy(page: bytes) -> str:
    """Files of this server only, and no inline code but the page's import map."""
    maps = [hashlib.sha256(text).digest() for text in IMPORT_MAP.findall(page)]
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *(f"'{_integrity(digest)}'" for digest in maps))),
            "style-src 'self'",
            "img-src 'self' data:",  # the style sheet has its icons as data: URLs
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _integrity(digest: bytes) -> str:
    return f"sha256-{base64.b64encode(digest).decode()}"

"""/app/: which files are served, how they are cached, and under which policy they run."""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.web import files
from tests.support.processes import until

FILES = sorted(
    path.relative_to(files.STATIC).as_posix()
    for path in files.STATIC.rglob("*")
    if path.is_file() and path.name != files.PAGE
)
SERVED = ["", *FILES, files.LISTING]


def directives(answer: TestResponse) -> dict[str, list[str]]:
    """The Content-Security-Policy of a response."""
    policy = answer.headers["Content-Security-Policy"]
    return {words[0]: words[1:] for words in (each.split() for each in policy.split(";"))}


def integrity(body: bytes) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(body).digest()).decode()}"


@pytest.mark.proves("WEB-1")
def test_every_file_is_served_with_its_type_and_never_without_asking(client: FlaskClient) -> None:
    for file in SERVED:
        answer, head = client.get(f"/app/{file}"), client.head(f"/app/{file}")
        assert answer.status_code == head.status_code == 200, file
        assert answer.content_type == files.MEDIA_TYPES[Path(file or files.PAGE).suffix][0]
        assert answer.headers["Cache-Control"] == "no-cache, no-transform"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if file != files.LISTING:
            assert answer.data == (files.STATIC / (file or files.PAGE)).read_bytes()
        assert (head.data, head.headers["ETag"]) == (b"", answer.headers["ETag"])
        assert head.headers["Content-Length"] == str(len(answer.data))


@pytest.mark.proves("WEB-1")
@pytest.mark.parametrize(
    "path",
    [
        "index.html",
        "nothing.js",
        "../routes.py",
        "vendor/../../routes.py",
        "vendor/..%2f..%2froutes.py",
        "vendor//preact.js",
        "/vendor/preact.js",
        "vendor",
        "vendor/",
        "vendor/x/preact.js",
        "%2e%2e/routes.py",
        "vendor/preact.js%00",
        "vendor\\preact.js",
    ],
)
def test_nothing_else_is_served(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/app/{path}")
    assert (answer.status_code, answer.content_type) == (404, "application/json")


@pytest.mark.proves("WEB-1")
def test_the_address_without_a_slash_leads_to_the_page(client: FlaskClient) -> None:
    answer = client.get("/app")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/app/")
    assert client.get("/app", follow_redirects=True).data == client.get("/app/").data


@pytest.mark.proves("WEB-2")
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_file_that_the_browser_has_is_a_304(client: FlaskClient, coding: str) -> None:
    accepted = {"Accept-Encoding": coding}
    first = client.get("/app/vendor/preact.js", headers=accepted)
    assert not first.headers["ETag"].startswith("W/")
    known = {**accepted, "If-None-Match": first.headers["ETag"]}
    again = client.get("/app/vendor/preact.js", headers=known)
    assert (again.status_code, again.data) == (304, b"")
    kept = ("ETag", "Cache-Control", "Vary", "Content-Security-Policy")
    assert [again.headers[name] for name in kept] == [first.headers[name] for name in kept]
    other = {**known, "If-None-Match": '"another"'}
    assert client.get("/app/vendor/preact.js", headers=other).data == first.data


@pytest.mark.proves("WEB-2")
@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "*"])
def test_text_is_compressed_for_who_takes_it(client: FlaskClient, accepted: str) -> None:
    plain = client.get("/app/vendor/pico.css")
    packed = client.get("/app/vendor/pico.css", headers={"Accept-Encoding": accepted})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) * 5 < len(plain.data)
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"


@pytest.mark.proves("WEB-2")
@pytest.mark.parametrize("refused", ["identity", "gzip;q=0", "br"])
def test_text_is_sent_as_it_is_to_others(client: FlaskClient, refused: str) -> None:
    answer = client.get("/app/vendor/pico.css", headers={"Accept-Encoding": refused})
    assert "Content-Encoding" not in answer.headers
    assert answer.data == (files.STATIC / "vendor" / "pico.css").read_bytes()


@pytest.mark.proves("WEB-3")
def test_only_files_of_this_server_and_the_import_map_run(client: FlaskClient) -> None:
    page = client.get("/app/").text
    (import_map,) = re.findall(r'<script type="importmap">(.*?)</script>', page, re.DOTALL)
    expected = {
        "default-src": ["'none'"],
        "script-src": ["'self'", f"'{integrity(import_map.encode())}'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "worker-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    for file in SERVED:
        assert directives(client.get(f"/app/{file}")) == expected, file


@pytest.mark.proves("WEB-3")
def test_the_page_has_no_inline_code_but_its_import_map(client: FlaskClient) -> None:
    page = client.get("/app/").text
    assert len(re.findall(r"<script(?![^>]* src=)", page)) == 1
    assert not re.search(r"<style| style=| on\w+=|javascript:", page)


@pytest.mark.proves("WEB-3")
def test_the_page_loads_only_files_of_the_service(client: FlaskClient) -> None:
    page = client.get("/app/").text
    (import_map,) = re.findall(r'<script type="importmap">(.*?)</script>', page, re.DOTALL)
    loaded = re.findall(r'<(?:link|script|img)[^>]* (?:src|href)="([^"]*)"', page)
    loaded += json.loads(import_map)["imports"].values()
    assert {path.removeprefix("./") for path in loaded} <= set(SERVED)


@pytest.mark.proves("WEB-4")
def test_the_service_worker_is_told_the_hash_of_every_file_that_the_page_needs(
    client: FlaskClient,
) -> None:
    script = client.get("/app/files.js").text
    listed = json.loads(script.removeprefix("self.FILES = ").removesuffix(";\n"))
    needed = [name for name in SERVED if not name.endswith((".txt", ".json"))]
    assert listed.keys() == set(needed) - {files.LISTING, files.SERVICE_WORKER}
    for name, expected in listed.items():
        assert integrity(client.get(f"/app/{name}").data) == expected


@pytest.mark.proves("WEB-4")
def test_a_changed_file_is_served_and_listed_anew(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shows(text: str) -> tuple[str, str]:
        """Waits until the page is that text; its entity tag, and the listing of all files."""
        (tmp_path / "index.html").write_text(text)
        until(lambda: client.get("/app/").text == text)
        return client.get("/app/").headers["ETag"], client.get("/app/files.js").text

    monkeypatch.setattr(files, "STATIC", tmp_path)
    before, after = shows("<p>first</p>"), shows("<p>second</p>")
    assert (before[0] != after[0], before[1] != after[1]) == (True, True)

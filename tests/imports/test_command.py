"""`flask import`."""

import json
from pathlib import Path

import pytest

from tests.support.api_user import ApiUser, data
from tests.support.imports import PATH, tasks
from tests.support.services import FlaskCommand


def write(directory: Path, name: str, text: str) -> str:
    """A file; its path."""
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.proves("IMPORT-3")
def test_a_file_is_imported_with_the_same_report(
    alice: ApiUser, flask: FlaskCommand, tmp_path: Path
) -> None:
    file = write(tmp_path, "todo.csv", "title,due\na,2026-10-07\nb,never\n")
    result = flask("import", file, "--user", alice.email)
    assert result.exit_code == 0, result.output
    assert "error: line 3: due: never is no date that exists." in result.output
    assert "1 created, 0 skipped, 1 failed" in result.output
    assert list(tasks(alice)) == ["a"]
    (report,) = data(alice.call("GET", PATH))
    assert (report["state"], report["read"]) == ("done", 2)
    again = flask("import", file, "--user", alice.email, "--dry-run")
    assert "0 would be created, 1 skipped" in again.output


@pytest.mark.proves("IMPORT-3")
def test_the_source_columns_and_zone_are_options(
    alice: ApiUser, flask: FlaskCommand, tmp_path: Path
) -> None:
    file = write(tmp_path, "x.txt", "What,When\na,10/06/2025 09:00\n")
    result = flask(
        "import", file, "--user", alice.email, "--source", "csv", "--column", "title:What",
        "--column", "due:When", "--date-order", "mdy", "--list-title", "L",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert tasks(alice)["a"]["due"] == "2025-10-06T09:00:00"
    assert tasks(alice)["a"]["list_id"] is not None


@pytest.mark.proves("IMPORT-3")
def test_mistakes_are_a_sentence(alice: ApiUser, flask: FlaskCommand, tmp_path: Path) -> None:
    file = write(tmp_path, "todo.csv", "title\na\n")
    other = write(tmp_path, "todo.json", json.dumps([]))
    for arguments, words in (
        ((file, "--user", "nobody@example.com"), "no account"),
        ((other, "--user", alice.email), "--source"),
        ((other, "--user", alice.email, "--source", "ownrow"), "no JSON export"),
        ((file, "--user", alice.email, "--column", "x"), "FIELD:NAME"),
        ((file, "--user", alice.email, "--time-zone", "Mars"), "zone"),
    ):
        result = flask("import", *arguments)
        assert result.exit_code != 0
        assert words in result.output
        assert "Traceback" not in result.output
    assert tasks(alice) == {}

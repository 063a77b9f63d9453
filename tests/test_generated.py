"""The generated blocks of specs/*.md are up to date."""

from pathlib import Path

import psycopg
import pytest

from tests.support import generated_docs
from tests.support.generated_docs import SPECS, is_up_to_date

HINT = "run: make specs"


@pytest.mark.proves("MIG-6")
def test_the_documented_tables_are_those_of_a_migrated_database(database_url: str) -> None:
    assert is_up_to_date(SPECS / "db-schema.md", "tables", generated_docs.tables(database_url)), (
        HINT
    )


@pytest.mark.proves("MIG-6")
def test_the_documented_endpoints_are_those_of_the_contract() -> None:
    assert is_up_to_date(SPECS / "rest-endpoints.md", "endpoints", generated_docs.endpoints()), HINT


def test_a_changed_schema_is_reported(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated_docs, "WRITING", False)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE users ADD COLUMN nickname text")
    assert not is_up_to_date(SPECS / "db-schema.md", "tables", generated_docs.tables(database_url))


def test_only_the_text_between_the_markers_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "specs.md"
    file.write_text("before\n<!-- generated: tables -->\nold\n<!-- end -->\nafter\n")
    monkeypatch.setattr(generated_docs, "WRITING", True)
    assert is_up_to_date(file, "tables", "new")
    assert file.read_text() == (
        "before\n<!-- generated: tables -->\n\nnew\n\n<!-- end -->\nafter\n"
    )

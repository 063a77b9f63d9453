"""What specs/*.md says of tables and routes is what there is."""

from pathlib import Path

import psycopg
import pytest

from tests import generated
from tests.generated import SPECS, kept

HINT = "run: make specs"


@pytest.mark.proves("MIG-6")
def test_the_tables_are_those_of_a_migrated_database(database_url: str) -> None:
    assert kept(SPECS / "db-schema.md", "tables", generated.tables(database_url)), HINT


@pytest.mark.proves("MIG-6")
def test_the_endpoints_are_those_of_the_contract() -> None:
    assert kept(SPECS / "rest-endpoints.md", "endpoints", generated.endpoints()), HINT


def test_another_schema_is_noticed(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated, "WRITING", False)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE users ADD COLUMN nickname text")
    assert not kept(SPECS / "db-schema.md", "tables", generated.tables(database_url))


def test_a_block_is_written_between_its_marks_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "specs.md"
    file.write_text("before\n<!-- generated: tables -->\nold\n<!-- end -->\nafter\n")
    monkeypatch.setattr(generated, "WRITING", True)
    assert kept(file, "tables", "new")
    assert file.read_text() == (
        "before\n<!-- generated: tables -->\n\nnew\n\n<!-- end -->\nafter\n"
    )

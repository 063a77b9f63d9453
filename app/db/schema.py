"""The schema that this code needs: the migrations that it comes with."""

from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent.parent.parent / "migrations"
# Of whatever changes the schema: any number that no other program locks in the same database.
LOCK = 7306086967


def known() -> list[str]:
    """The ids of the migrations, in order."""
    files = DIRECTORY.glob("[0-9]*.sql")
    return sorted(file.stem for file in files if not file.name.endswith(".rollback.sql"))


def read(name: str) -> str:
    """The text of a migration."""
    return (DIRECTORY / f"{name}.sql").read_text(encoding="utf-8")

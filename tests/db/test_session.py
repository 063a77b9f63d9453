"""Sessions have the settings that the code relies on, whatever server and environment say."""

import re
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from flask.testing import FlaskClient
from psycopg import sql

from app import db
from app.config import Config
from app.db.repository import SET_SESSION
from app.system import doctor
from tests.support import services
from tests.support.api_user import ApiUser, register
from tests.support.server import ROOT
from tests.support.services import FlaskCommand

# The most different value of each setting that a session may begin with.
OTHERS = {
    "datestyle": "SQL, DMY",
    "intervalstyle": "sql_standard",
    "timezone": "Pacific/Apia",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "search_path": "pg_catalog",
    "default_transaction_isolation": "serializable",
    "row_security": "off",
    "quote_all_identifiers": "on",
}
ENVIRONMENT = {
    "PGDATESTYLE": "German, DMY",
    "PGTZ": "Pacific/Apia",
    "PGCLIENTENCODING": "LATIN1",
    "PGOPTIONS": "-c intervalstyle=sql_standard -c search_path=pg_catalog -c bytea_output=escape",
}
# Connections that need no settings, as they run no statement of ours.
ELSEWHERE = {
    "app/audit/cluster.py",
    "app/audit/plans.py",
    "app/devdb/backup.py",
    "app/system/doctor.py",
}


def differ(database_url: str) -> None:
    """Lets every new session of the database begin with other settings."""
    name = sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]))
    with psycopg.connect(database_url, autocommit=True) as owner:
        for setting, value in OTHERS.items():
            text = sql.SQL("ALTER DATABASE {} SET {} = {}")
            owner.execute(text.format(name, sql.Identifier(setting), sql.Literal(value)))


@pytest.mark.proves("RUN-27")
def test_every_setting_is_tested() -> None:
    assert set(OTHERS) == {column.name for column in SET_SESSION.header.columns}


@pytest.mark.proves("RUN-27")
def test_every_connection_of_the_code_is_set_up() -> None:
    found = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "app").rglob("*.py")
        if re.search(r"psycopg\.connect\(", file.read_text())
    }
    assert found == {*ELSEWHERE, "app/db/session.py"}


def use(client: FlaskClient) -> None:
    """Sends a request to each part of the service that reads or writes times, texts and bytes."""
    user = register(client, "zoe@example.com")
    task = user.create("Wäsche; 'bügeln' \\ 漢字")
    assert task["title"] == "Wäsche; 'bügeln' \\ 漢字"
    user.patch(f"/{task['id']}", json={"title": "neu"})
    user.delete(f"/{task['id']}")
    user.post(f"/{task['id']}/restore")
    headers = user.authorization
    for path in ("tasks", "tasks?q=NEU", "tasks/trash", "changes", "export", "export?format=csv"):
        answer = client.get(f"/api/me/{path}", headers=headers)
        assert answer.status_code == 200, (path, answer.data)
        assert answer.data
    assert client.get("/api/auth/sessions", headers=headers).status_code == 200
    changed = client.put(
        "/api/auth/password",
        headers=headers,
        json={"current_password": "seven quiet rivers", "new_password": "other quiet rivers"},
    )
    assert changed.status_code == 200, changed.data
    assert client.get("/readyz").status_code == 200


@pytest.mark.proves("RUN-27")
def test_the_service_works_whatever_a_session_begins_with(
    database_url: str, client: FlaskClient
) -> None:
    differ(database_url)
    db.close_pool()
    use(client)


@pytest.mark.proves("RUN-27")
def test_the_service_works_whatever_the_environment_says(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    db.close_pool()
    use(client)


@pytest.mark.proves("RUN-27")
@pytest.mark.parametrize("in_environment", [False, True])
def test_commands_and_migrations_work_whatever_a_session_begins_with(
    database_url: str,
    alice: ApiUser,
    flask: FlaskCommand,
    monkeypatch: pytest.MonkeyPatch,
    in_environment: bool,
) -> None:
    alice.create("Wäsche")
    differ(database_url)
    if in_environment:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
    db.close_pool()
    for command in (
        ["ledger", "verify"],
        ["ledger", "purge", "--older-than", "1d"],
        ["users", "list"],
        ["users", "disable", alice.email],
        ["seed", "--users", "1", "--tasks", "3"],
        ["db", "rollback", "--count", "7"],
        ["db", "upgrade"],
        ["db", "status"],
        ["ledger", "verify"],
        ["doctor"],
    ):
        result: Result = flask(*command)
        assert result.exit_code == 0, (command, result.output)


@pytest.mark.proves("RUN-27")
def test_doctor_names_settings_that_a_pooler_may_hand_out(
    database_url: str, tmp_path: Path
) -> None:
    differ(database_url)
    with services.pgbouncer(database_url, tmp_path) as url:
        config = Config.from_env({"DATABASE_URL": url, "DATA_DIR": str(tmp_path)})
        (found,) = [each for each in doctor.examine(config) if each.part == "settings"]
        assert found.state == doctor.NOTE
        assert "bytea_output" in found.text
        assert "SET bytea_output = 'hex'" in found.remedy

"""Imports through the API, and a worker's job that goes on with them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import TestResponse

from app.imports.job import Importing
from tests.support.api_user import ApiUser, data

PATH = "/api/me/imports"


def send(user: ApiUser, source: str, file: str | bytes, **parameters: Any) -> TestResponse:
    """Posts a file."""
    given = {name: value for name, value in parameters.items() if value is not None}
    query = urlencode({"source": source, **given}, doseq=True)
    return user.call("POST", f"{PATH}?{query}", data=file)


def work(*, turns: int = 1000) -> None:
    """Goes on with all imports until none is due, or for that many turns."""
    job = Importing()
    for _ in range(turns):
        if not job.run_once().done:
            return


def imported(user: ApiUser, source: str, file: str | bytes, **parameters: Any) -> dict[str, Any]:
    """Imports a file; the report of the import, which has ended well."""
    report = ended(user, send(user, source, file, **parameters))
    assert report["state"] == "done", report
    return report


def ended(user: ApiUser, answer: TestResponse) -> dict[str, Any]:
    """The report of the import that an answer is about, once it has ended."""
    assert answer.status_code == 202, answer.text
    work()
    report: dict[str, Any] = data(user.call("GET", answer.headers["Location"]))
    assert report["finished_at"] is not None, report
    return report


def counts(report: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """How many rows were read, created, skipped, and have failed."""
    return report["read"], report["created"], report["skipped"], report["failed"]


def rows(user: ApiUser, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The report row by row."""
    found: list[dict[str, Any]] = []
    path = f"{PATH}/{report['id']}/rows?limit=200"
    cursor = ""
    while True:
        answer = user.call("GET", path + cursor)
        found += data(answer)
        following = answer.get_json()["meta"]["next_cursor"]
        if following is None:
            return found
        cursor = f"&cursor={following}"


def exported(user: ApiUser) -> dict[str, list[dict[str, Any]]]:
    """Everything that the user has."""
    return dict(json.loads(user.export().data))


def tasks(user: ApiUser) -> dict[str, dict[str, Any]]:
    """The user's tasks by their titles."""
    return {task["title"]: task for task in exported(user)["tasks"]}


def warnings(report: Mapping[str, Any]) -> list[tuple[int | None, str]]:
    """Line and field of each warning."""
    return [(each["line"], each["field"]) for each in report["warnings"]]


def messages(report: Mapping[str, Any], kind: str = "warnings") -> Sequence[str]:
    """The texts of warnings, or errors."""
    return [each["message"] for each in report[kind]]

"""Todoist: a project's CSV, and the backup."""

import io
import zipfile

import pytest

from tests.support.api_user import ApiUser, broken_fields
from tests.support.imports import (
    counts,
    exported,
    imported,
    messages,
    send,
    tasks,
    warnings,
)

HEADER = (
    "TYPE,CONTENT,DESCRIPTION,PRIORITY,INDENT,AUTHOR,RESPONSIBLE,DATE,DATE_LANG,TIMEZONE,"
    "DURATION,DURATION_UNIT,DEADLINE,DEADLINE_LANG"
)


def project(*rows: str) -> str:
    """A CSV as Todoist writes it: with its mark, and CRLF."""
    return "\ufeff" + "\r\n".join([HEADER, *rows]) + "\r\n"


def task(
    content: str, *, priority: str = "4", indent: int = 1, date: str = "", lang: str = "en",
    zone: str = "", rest: str = ",None,,",
) -> str:  # fmt: skip
    return f"task,{content},,{priority},{indent},Ada (1),,{date},{lang},{zone},{rest}"


@pytest.mark.proves("IMPORT-15")
def test_priorities_are_the_reverse_of_those_of_its_api(alice: ApiUser) -> None:
    rows = [task(f"p{each or 'none'}", priority=each) for each in ("1", "2", "3", "4", "")]
    report = imported(alice, "todoist_csv", project(*rows, task("p9", priority="9")))
    found = {title: each["priority"] for title, each in tasks(alice).items()}
    assert found == {"p1": 1, "p2": 5, "p3": 9, "p4": 0, "pnone": 0, "p9": 0}
    assert warnings(report) == [(6, "priority"), (7, "priority")]


@pytest.mark.proves("IMPORT-15")
def test_indents_make_trees_and_notes_go_into_the_description(alice: ApiUser) -> None:
    file = project(
        "meta,view_style=list,,,,,,,,,,,,",
        task("Trip", indent=1),
        task("Pack", indent=2),
        "note,Take the big bag,,,,Ada (1),,,,,,,,",
        'note,"[[file {""file_name"":""a.png"",""file_url"":""https://example.com/a.png""}]]",'
        ",,,Ada (1),,,,,,,,",
        task("Socks", indent=3),
        ",,,,,,,,,,,,,",
        task("Tickets", indent=2),
        task("Home", indent=1),
    )
    report = imported(alice, "todoist_csv", file, list_title="Holidays")
    assert counts(report) == (5, 5, 0, 0)
    found, everything = tasks(alice), exported(alice)
    parents = {
        each["title"]: next(
            (other["title"] for other in found.values() if other["id"] == each["parent_id"]), None
        )
        for each in found.values()
    }
    assert parents == {
        "Trip": None, "Pack": "Trip", "Socks": "Pack", "Tickets": "Trip", "Home": None,
    }  # fmt: skip
    assert found["Pack"]["description"] == "Take the big bag\n\nhttps://example.com/a.png"
    assert (3 + 1, "attachment") in warnings(report)
    (listed,) = everything["lists"]
    assert listed["title"] == "Holidays"
    assert {each["list_id"] for each in found.values()} == {listed["id"]}


@pytest.mark.proves("IMPORT-15")
def test_labels_at_the_end_and_sections_become_labels(alice: ApiUser) -> None:
    file = project(
        task("Call @ada about it @phone @work"),
        "section,Later,,,,,,,,,,,,",
        task("Read"),
    )
    report = imported(alice, "todoist_csv", file)
    names = {label["id"]: label["name"] for label in exported(alice)["labels"]}
    found = tasks(alice)
    labelled = {title: {names[each] for each in task["label_ids"]} for title, task in found.items()}
    assert labelled == {"Call @ada about it": {"phone", "work"}, "Read": {"Later"}}
    assert (None, "section") in warnings(report)


@pytest.mark.proves("IMPORT-14")
@pytest.mark.parametrize(
    ("date", "language", "due", "rule", "basis"),
    [
        ("2026-10-07", "en", "2026-10-07", None, "due"),
        ("7 Oct 2026", "en", "2026-10-07", None, "due"),
        ("Oct 7 2026 9pm", "en", "2026-10-07T21:00:00", None, "due"),
        (
            "every! 2 weeks starting 2026-05-17", "en", "2026-05-17", "FREQ=WEEKLY;INTERVAL=2",
            "completion",
        ),
        ("jeden Tag ab 1.6.2037", "de", "2037-06-01", "FREQ=DAILY", "due"),
        (
            "chaque lundi à 9h à partir du 1er juin 2037", "fr", "2037-06-01T09:00:00",
            "FREQ=WEEKLY;BYDAY=MO", "due",
        ),
        (
            "cada último día a partir del 1 de junio de 2037", "es", "2037-06-30",
            "FREQ=MONTHLY;BYMONTHDAY=-1", "due",
        ),
        ("every 2nd tuesday starting 2037-01-01", "en", "2037-01-13", "FREQ=MONTHLY;BYDAY=2TU",
         "due"),
    ],
)  # fmt: skip
def test_phrases_become_dues_and_rules(
    alice: ApiUser, date: str, language: str, due: str, rule: str | None, basis: str
) -> None:
    report = imported(alice, "todoist_csv", project(task("x", date=date, lang=language)))
    found = tasks(alice)["x"]
    assert report["warnings"] == []
    assert (found["due"], found["recurrence"], found["recurrence_basis"]) == (due, rule, basis)


@pytest.mark.proves("IMPORT-14")
def test_a_phrase_that_is_not_understood_is_a_warning_with_its_line(alice: ApiUser) -> None:
    file = project(
        task("one"),
        task("two", date="every full moon"),
        task("three", date="毎日", lang="ja"),
        task("four", date="every hour"),
    )
    report = imported(alice, "todoist_csv", file)
    assert counts(report) == (4, 4, 0, 0)
    assert warnings(report) == [(3, "due"), (4, "due"), (5, "due")]
    assert "every full moon" in messages(report)[0]
    assert {each["due"] for each in tasks(alice).values()} == {None}


@pytest.mark.proves("IMPORT-15")
def test_zones_and_deadlines_and_what_is_not_kept(alice: ApiUser) -> None:
    file = project(
        task("zoned", date="2026-10-07 09:00", zone="Europe/Madrid"),
        task("floating", date="2026-10-07 09:00"),
        task("day", date="2026-10-07", zone="Europe/Madrid"),
        task("late", rest="30,minute,2026-11-01,en"),
        task("both", date="2026-10-07", rest=",None,2026-11-01,en"),
    )
    report = imported(alice, "todoist_csv", file)
    found = {title: (each["due"], each["time_zone"]) for title, each in tasks(alice).items()}
    assert found == {
        "zoned": ("2026-10-07T09:00:00", "Europe/Madrid"),
        "floating": ("2026-10-07T09:00:00", None),
        "day": ("2026-10-07", None),
        "late": ("2026-11-01", None),
        "both": ("2026-10-07", None),
    }
    assert tasks(alice)["both"]["description"] == "Deadline: 2026-11-01"
    assert warnings(report) == [(5, "duration"), (6, "deadline")]


@pytest.mark.proves("IMPORT-4")
def test_the_same_file_again_creates_nothing_and_a_longer_one_what_is_new(
    alice: ApiUser,
) -> None:
    rows = [task("a"), task("b", indent=2), task("same"), task("same")]
    assert counts(imported(alice, "todoist_csv", project(*rows))) == (4, 4, 0, 0)
    assert counts(imported(alice, "todoist_csv", project(*rows))) == (4, 0, 4, 0)
    rows.insert(2, task("c", indent=3))
    assert counts(imported(alice, "todoist_csv", project(*rows))) == (5, 1, 4, 0)
    found = tasks(alice)
    assert found["c"]["parent_id"] == found["b"]["id"]


@pytest.mark.proves("IMPORT-15")
def test_a_backup_has_a_list_for_each_project_and_names_its_files(alice: ApiUser) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Home [2203306141].csv", project(task("Sweep"), task("x", date="blah")))
        archive.writestr("Inbox [1].csv", project(task("Think")))
        archive.writestr("Broken.csv", "a,b\r\n1,2\r\n")
        archive.writestr("readme.txt", "hello")
    report = imported(alice, "todoist_backup", packed.getvalue())
    assert counts(report) == (3, 3, 0, 0)
    (home,) = exported(alice)["lists"]
    found = tasks(alice)
    assert (home["title"], found["Sweep"]["list_id"]) == ("Home", home["id"])
    assert found["Think"]["list_id"] is None
    (broken,) = report["errors"]
    assert broken["file"] == "Broken.csv"
    unknown = next(each for each in report["warnings"] if each["field"] == "due")
    assert (unknown["file"], unknown["line"]) == ("Home [2203306141].csv", 3)
    assert counts(imported(alice, "todoist_backup", packed.getvalue())) == (3, 0, 3, 0)


@pytest.mark.proves("IMPORT-12")
def test_another_csv_is_refused_at_once(alice: ApiUser) -> None:
    assert broken_fields(send(alice, "todoist_csv", "Title,Due\r\nx,y\r\n")) == ["file"]
    assert broken_fields(send(alice, "todoist_backup", "TYPE,CONTENT\r\n")) == ["file"]

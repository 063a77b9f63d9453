"""Files that are no use, or meant to hurt: refused clearly, in bounded memory and time."""

import io
import json
import struct
import tracemalloc
import zipfile
from datetime import UTC, datetime
from time import perf_counter

import pytest

from app.imports.entries import Options, TooLarge, Unreadable
from app.imports.planning import plan
from app.imports.reading import MOST_FILES, Archive
from app.imports.sources import SOURCES, check
from tests.support.api_user import ApiUser, broken_fields, error
from tests.support.imports import PATH, ended, exported, send

MIB = 1024 * 1024


def packed(**files: bytes) -> bytes:
    """A zip with these files."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return into.getvalue()


@pytest.mark.proves("IMPORT-1", "IMPORT-12")
def test_a_file_over_10_mib_is_a_413_and_one_of_10_mib_is_read(alice: ApiUser) -> None:
    assert error(send(alice, "csv", b"x" * (10 * MIB + 1))) == (413, "PAYLOAD_TOO_LARGE")
    assert broken_fields(send(alice, "csv", b"x" * 10 * MIB)) == ["file"]
    assert exported(alice)["tasks"] == []


@pytest.mark.proves("IMPORT-12")
@pytest.mark.parametrize("source", sorted(SOURCES))
@pytest.mark.parametrize(
    "file",
    [
        b"", b" \r\n\t", b"\0\0\0", b"PK\x03\x04", b"PK\x03\x04" + b"\xff" * 1000, b"\xff\xfe",
        b"\xff\xfe\x00\xd8", b"\x89PNG\r\n\x1a\n\0\0", b'"', b"\x81\x8d", b"[" * 100_000,
        b'{"a":' * 10_000, b"BEGIN", b"\xef\xbb\xbf",
    ],
)  # fmt: skip
def test_no_source_takes_rubbish(alice: ApiUser, source: str, file: bytes) -> None:
    assert broken_fields(send(alice, source, file)) != []


@pytest.mark.proves("IMPORT-12")
@pytest.mark.parametrize("source", ["csv", "ticktick", "todoist_csv", "ics", "ownrow"])
def test_nul_is_refused_in_every_text(alice: ApiUser, source: str) -> None:
    text = "title,TYPE,CONTENT,List Name,Title\na\0b"
    for file in (text.encode(), "\ufeff".encode("utf-16-le") + text.encode("utf-16-le")):
        assert broken_fields(send(alice, source, file)) == ["file"]


@pytest.mark.proves("IMPORT-12")
def test_a_million_rows_are_a_413_in_little_memory_and_time(alice: ApiUser) -> None:
    file = b"title\n" + b"abcdef\n" * 1_000_000
    tracemalloc.start()
    began = perf_counter()
    assert error(send(alice, "csv", file)) == (413, "PAYLOAD_TOO_LARGE")
    seconds, (_, peak) = perf_counter() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(file)
    assert seconds < 30


@pytest.mark.proves("IMPORT-12")
def test_too_many_things_in_other_formats_are_a_413_or_end_the_import(alice: ApiUser) -> None:
    tasks = json.dumps({"tasks": [{}] * 1_100_000}).encode().replace(b" ", b"")
    assert error(send(alice, "ownrow", tasks)) == (413, "PAYLOAD_TOO_LARGE")
    fewer = json.dumps({"tasks": [{"title": "x"}] * 60_000})
    report = ended(alice, send(alice, "ownrow", fewer))
    assert (report["state"], report["created"]) == ("failed", 0)
    assert "50000" in report["message"]
    todos = "BEGIN:VCALENDAR\n" + "BEGIN:VTODO\nEND:VTODO\n" * 51_000
    assert ended(alice, send(alice, "ics", todos))["state"] == "failed"
    assert exported(alice)["tasks"] == []


@pytest.mark.proves("IMPORT-12")
def test_one_line_of_10_mib_is_bounded_work(alice: ApiUser) -> None:
    line = b"a" * (10 * MIB - 100)
    assert broken_fields(send(alice, "csv", b"title\n" + line)) == ["file"]
    assert broken_fields(send(alice, "ticktick", line)) == ["file"]
    file = b"BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:" + line + b"\nEND:VTODO\n"
    report = ended(alice, send(alice, "ics", file))
    assert (report["created"], report["error_count"]) == (0, 1)


@pytest.mark.proves("IMPORT-12")
def test_a_zip_bomb_is_a_413_by_its_directory(alice: ApiUser) -> None:
    bomb = packed(data_json=b"0" * (101 * MIB))
    assert len(bomb) < MIB
    for source in ("vikunja", "todoist_backup"):
        assert error(send(alice, source, bomb)) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.proves("IMPORT-12")
def test_a_zip_bomb_whose_directory_lies_is_not_unpacked_either(alice: ApiUser) -> None:
    honest = packed(data_json=b"0" * (40 * MIB))
    size = struct.pack("<L", 40 * MIB)
    lying = honest.replace(size, struct.pack("<L", 1000))
    assert lying != honest
    tracemalloc.start()
    answer = send(alice, "vikunja", lying)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code in (413, 422)
    assert peak < 100 * MIB


@pytest.mark.proves("IMPORT-12")
def test_an_archive_has_a_limited_number_of_files() -> None:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        for number in range(MOST_FILES + 1):
            archive.writestr(f"{number}.csv", b"")
    with pytest.raises(TooLarge):
        Archive(into.getvalue())


@pytest.mark.proves("IMPORT-12")
def test_an_archive_with_a_password_or_a_wrong_checksum_is_refused(alice: ApiUser) -> None:
    good = packed(data_json=b"[]" + b" " * 100)
    flagged = bytearray(good)
    flagged[6] |= 1
    central = good.rindex(b"PK\x01\x02")
    flagged[central + 8] |= 1
    assert broken_fields(send(alice, "vikunja", bytes(flagged))) == ["file"]
    damaged = bytearray(good)
    damaged[central + 16] ^= 0xFF
    assert broken_fields(send(alice, "vikunja", bytes(damaged))) == ["file"]


@pytest.mark.proves("IMPORT-12")
def test_what_passes_the_check_never_raises_anything_but_its_own_errors() -> None:
    """Valid files cut off anywhere, and with each byte of a few replaced."""
    files = {
        "csv": b"id,parent,title,due,recurrence\n1,2,a,2026-10-07,every day\n2,1,b,1/2/2026,x\n",
        "ics": b"BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:1\nDUE;TZID=X:20260101T000000\n"
        b"DURATION:PT1H\nRRULE:FREQ=DAILY\nRECURRENCE-ID:20260101\nEND:VTODO\nEND:VCALENDAR\n",
        "ownrow": b'{"tasks":[{"id":"a","title":"x","due":"2026-10-07","recurrence":"FREQ=DAILY",'
        b'"reminders":[{"at":"2026-10-07T00:00:00Z"}]}],"completions":[{"task_id":"a"}]}',
        "mstodo": b'{"value":[{"displayName":"x","tasks":[{"title":"a","dueDateTime":'
        b'{"dateTime":"2026-10-07T00:00:00","timeZone":"UTC"},"recurrence":{"pattern":{"type":'
        b'"weekly","interval":1e9,"daysOfWeek":[1]},"range":{"type":"numbered"}}}]}]}',
        "google_takeout": b'{"items":[{"id":1,"title":"x","items":[{"id":[],"due":"x"}]}]}',
        "ticktick": b"List Name,Title,Reminder,Due Date,Repeat,Order\n"
        b"a,b,-PT30M,2026-10-07T00:00:00+0000,FREQ=DAILY,9\n",
        "todoist_csv": b"TYPE,CONTENT,INDENT,DATE,DATE_LANG\ntask,a @b,1,every day,en\n",
    }  # fmt: skip
    for source, file in files.items():
        for place in range(len(file)):
            for changed in (file[:place], file[:place] + b"9" + file[place + 1 :]):
                _read(source, changed)


def _read(source: str, file: bytes) -> None:
    try:
        check(source, file, {"time_zone": "UTC"})
        given = Options("UTC", datetime(2026, 5, 12, tzinfo=UTC))
        plan(SOURCES[source].read(file, given))
    except (Unreadable, TooLarge):
        return


@pytest.mark.proves("IMPORT-12")
def test_the_answer_says_what_to_do(alice: ApiUser) -> None:
    answer = send(alice, "csv", "")
    assert broken_fields(answer) == ["file"]
    assert "body of the request" in answer.get_json()["error"]["details"][0]["message"]
    assert broken_fields(alice.call("POST", PATH, data=b"title\nx")) == ["source"]
    assert broken_fields(send(alice, "paper", "x")) == ["source"]
    assert broken_fields(send(alice, "ics", "BEGIN:", column="title:x")) == ["column"]
    assert broken_fields(send(alice, "csv", "title\nx", time_zone="Mars")) == ["time_zone"]
    assert broken_fields(send(alice, "csv", "title\nx", column=["title:a", "title:b"])) == [
        "column"
    ]

"""Any CSV: columns, dates, keys, encodings, and rows that are wrong."""

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
from tests.support.planning import make


@pytest.mark.proves("IMPORT-8")
def test_three_bad_rows_of_500_leave_497_tasks_and_three_errors_with_their_lines(
    alice: ApiUser,
) -> None:
    lines = ["Task,Due,Priority"]
    lines += [f"Task {n},23/06/2025,high" for n in range(2, 502)]
    lines[9] = ",23/06/2025,high"
    lines[99] = "Task 100,31/02/2025,high"
    lines[399] = "Task 400,23/06/2025,eleven"
    report = imported(alice, "csv", "\r\n".join(lines))
    assert counts(report) == (500, 497, 0, 3)
    assert [(each["line"], each["field"]) for each in report["errors"]] == [
        (10, "title"), (100, "due"), (400, "priority"),
    ]  # fmt: skip
    assert len(exported(alice)["tasks"]) == 497


@pytest.mark.proves("IMPORT-21")
def test_columns_are_found_by_their_names_or_named_by_the_request(alice: ApiUser) -> None:
    file = (
        "Was,Notes,Project,Tags,Due Date,Start,Time zone,Repeat,Done,Farbe\n"
        'Buy,"two\nlines",Shop,"#a; b",2026-10-07 09:30,2026-10-01,Pacific Standard Time,'
        "every 2 weeks,no,red\n"
        "Old,,,,,,,,yes,\n"
    )
    assert broken_fields(send(alice, "csv", file)) == ["column"]
    assert broken_fields(send(alice, "csv", file, column="title:What")) == ["column"]
    report = imported(alice, "csv", file, column=["title:Was"])
    everything = exported(alice)
    found, names = tasks(alice), {each["id"]: each["name"] for each in everything["labels"]}
    buy = found["Buy"]
    assert {
        "description": buy["description"],
        "labels": {names[each] for each in buy["label_ids"]},
        "list": everything["lists"][0]["title"],
        "due": buy["due"],
        "start": buy["start"],
        "time_zone": buy["time_zone"],
        "due_at": buy["due_at"],
    } == {
        "description": "two\nlines",
        "labels": {"a", "b"},
        "list": "Shop",
        "due": "2026-10-07T09:30:00",
        "start": "2026-10-01",
        "time_zone": "America/Los_Angeles",
        "due_at": "2026-10-07T16:30:00.000000Z",
    }
    assert buy["recurrence"] == "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE"
    assert found["Old"]["is_completed"]
    assert found["Old"]["list_id"] is None
    assert warnings(report) == [(None, "Farbe")]


@pytest.mark.proves("IMPORT-21")
@pytest.mark.parametrize(
    ("dates", "order", "first"),
    [
        (("10/06/2025", "23/06/2025"), None, "2025-06-10"),
        (("10/06/2025", "06/23/2025"), None, "2025-10-06"),
        (("10/06/2025", "11/06/2025"), "mdy", "2025-10-06"),
        (("10.06.2025", "11.06.2025"), None, "2025-06-10"),
        (("05/05/2025", "2025-06-10"), None, "2025-05-05"),
        (("10/06/2025 9:30 pm", "23/06/2025"), None, "2025-06-10T21:30:00"),
    ],
)
def test_the_order_of_dates_follows_from_the_column_or_is_given(
    alice: ApiUser, dates: tuple[str, str], order: str | None, first: str
) -> None:
    file = "title,due\n" + "\n".join(f"{n},{date}" for n, date in enumerate(dates))
    imported(alice, "csv", file, date_order=order)
    assert tasks(alice)["0"]["due"] == first


@pytest.mark.proves("IMPORT-21")
def test_dates_of_which_none_tells_the_order_are_refused_with_the_remedy(alice: ApiUser) -> None:
    answer = send(alice, "csv", "title,due\na,10/06/2025\nb,11/06/2025\n")
    assert broken_fields(answer) == ["date_order"]
    assert "10/06/2025" in answer.get_json()["error"]["details"][0]["message"]
    assert exported(alice)["tasks"] == []


@pytest.mark.proves("IMPORT-9")
def test_children_may_come_first_circles_are_cut_and_missing_parents_are_told(
    alice: ApiUser,
) -> None:
    file = (
        "id,parent,title\n"
        "2,1,child\n1,,parent\n"
        "a,b,round a\nb,a,round b\n"
        "c,c,itself\n"
        "d,nobody,orphan\n"
    )
    report = imported(alice, "csv", file)
    found = tasks(alice)
    assert counts(report) == (6, 6, 0, 0)
    assert found["child"]["parent_id"] == found["parent"]["id"]
    rounds = [found["round a"]["parent_id"], found["round b"]["parent_id"]]
    assert rounds.count(None) == 1
    assert found["itself"]["parent_id"] is None
    assert found["orphan"]["parent_id"] is None
    assert sorted(warnings(report)) == [(5, "parent"), (6, "parent"), (7, "parent")]


@pytest.mark.proves("IMPORT-9")
def test_a_tree_that_is_too_deep_is_made_flatter_and_open_subtasks_keep_their_parent_open(
    alice: ApiUser,
) -> None:
    rows = [
        f"{n},{n - 1 if n > 1 else ''},level {n},{'yes' if n < 7 else 'no'}" for n in range(1, 8)
    ]
    report = imported(alice, "csv", "id,parent,title,done\n" + "\n".join(rows))
    found = tasks(alice)
    above = {each["id"]: each["title"] for each in found.values()}
    assert [above.get(found[f"level {n}"]["parent_id"]) for n in range(1, 8)] == [
        None, "level 1", "level 2", "level 3", "level 4", "level 4", "level 4",
    ]  # fmt: skip
    assert [found[f"level {n}"]["is_completed"] for n in range(1, 8)] == [
        False, False, False, False, True, True, False,
    ]  # fmt: skip
    assert [line for line, field in warnings(report) if field == "parent"] == [7, 8]
    assert "Stays open, as a subtask of it is open." in messages(report)


@pytest.mark.proves("IMPORT-9")
def test_more_than_500_children_are_tasks_of_their_own(alice: ApiUser) -> None:
    rows = ["p,,parent", *(f"{n},p,child {n}" for n in range(502))]
    report = imported(alice, "csv", "id,parent,title\n" + "\n".join(rows))
    parent = tasks(alice)["parent"]["id"]
    children = [each for each in exported(alice)["tasks"] if each["parent_id"] == parent]
    assert (len(children), counts(report)) == (500, (503, 503, 0, 0))
    assert [field for _, field in warnings(report)] == ["parent", "parent"]


@pytest.mark.proves("IMPORT-8")
def test_what_is_too_long_is_cut_with_a_warning_and_a_title_kept_in_the_description(
    alice: ApiUser,
) -> None:
    title, note = "t" * 300, "n" * 6000
    labels = ";".join(f"label {n}" for n in range(52))
    file = f'title,description,labels\n{title},,\nx,{note},"{labels}"\ny,,{"l" * 150}\n'
    report = imported(alice, "csv", file)
    found = tasks(alice)
    assert found["t" * 254 + "…"]["description"] == title
    assert len(found["x"]["description"]) == 5000
    assert len(found["x"]["label_ids"]) == 50
    assert warnings(report) == [
        (2, "title"), (3, "description"), (3, "labels"), (4, "labels"),
    ]  # fmt: skip


@pytest.mark.proves("IMPORT-12")
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "utf-8"])
def test_text_is_read_in_the_encodings_that_spreadsheets_write(
    alice: ApiUser, encoding: str
) -> None:
    imported(alice, "csv", "title;notes\r\nÄpfel für Zoë;größer\r\n".encode(encoding))
    assert tasks(alice)["Äpfel für Zoë"]["description"] == "größer"


@pytest.mark.proves("IMPORT-12")
def test_utf_16_with_the_big_end_first_is_read(alice: ApiUser) -> None:
    imported(alice, "csv", b"\xfe\xff" + "title\nÄpfel\n".encode("utf-16-be"))
    assert "Äpfel" in tasks(alice)


@pytest.mark.proves("IMPORT-21")
def test_the_csv_of_our_own_export_comes_back(alice: ApiUser, bob: ApiUser) -> None:
    alice.post(json={"title": "=1+1", "description": "+x", "due": "2026-10-07T09:00"})
    parent = alice.create("parent")
    alice.post(
        json={
            "title": "child", "parent_id": parent["id"], "priority": 3, "due": "2026-10-07",
            "recurrence": "FREQ=DAILY", "recurrence_basis": "completion",
        }
    )  # fmt: skip
    imported(bob, "csv", alice.export("csv&bom=true").data)
    found = tasks(bob)
    assert found["=1+1"]["description"] == "+x"
    assert found["child"]["parent_id"] == found["parent"]["id"]
    fields = ("priority", "due", "recurrence", "recurrence_basis")
    assert [found["child"][each] for each in fields] == [
        3, "2026-10-07", "FREQ=DAILY", "completion",
    ]  # fmt: skip


@pytest.mark.proves("IMPORT-21")
def test_quotes_delimiters_and_a_separator_line_are_those_of_the_file(alice: ApiUser) -> None:
    imported(alice, "csv", 'sep=;\r\ntitle;labels\r\n"a;b ""c""";x,y\r\n')
    imported(alice, "csv", "title\tpriority\r\ntab, here\t3\r\n")
    found = tasks(alice)
    assert len(found['a;b "c"']["label_ids"]) == 2
    assert found["tab, here"]["priority"] == 3


@pytest.mark.proves("IMPORT-7")
def test_lists_and_labels_that_are_there_stand_for_those_of_their_names(alice: ApiUser) -> None:
    listed = make(alice, "lists", title="Shop")
    label = make(alice, "labels", name="ÉTÉ")
    file = "title,list,labels\na,Shop,été\nb,shop,ÉTÉ\n"
    dry = imported(alice, "csv", file, dry_run="true")
    report = imported(alice, "csv", file)
    found = tasks(alice)
    assert found["a"]["list_id"] == listed["id"] != found["b"]["list_id"]
    assert found["a"]["label_ids"] == found["b"]["label_ids"] == [label["id"]]
    for each in (dry, report):
        assert (each["lists"], each["labels"]) == (1, 0)

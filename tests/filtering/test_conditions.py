"""Which tasks a filter selects, in PostgreSQL."""

from itertools import pairwise

import pytest
from psycopg.types.json import Jsonb

from app import filtering
from app.filtering import Compiled
from app.values import fold
from tests.filtering.selection import (
    GARDEN,
    HOME,
    NOW,
    ODD,
    OFFICE,
    WORK,
    WORK_TOO,
    Facets,
    Selection,
    at,
    compiled,
    due,
    mistake,
    task,
)

PLANNED = {
    "yesterday": due("2026-10-06T09:00:00Z"),
    "this morning": due("2026-10-07T09:00:00Z"),
    "tonight": due("2026-10-07T22:00:00Z"),
    "today": task(due=at("2026-10-07T00:00:00Z"), overdue=at("2026-10-08T00:00:00Z")),
    "tomorrow": task(due=at("2026-10-08T00:00:00Z"), overdue=at("2026-10-09T00:00:00Z")),
    "sometime": task(),
}
FORMS = [
    f"{field} {operator} {value}"
    for field in ("due", "start")
    for operator in ("=", "!=", "<", "<=", ">", ">=")
    for value in ("today", "2026-10-07", "2026-10-07T09:00", "now", "+3h", "-1m", "friday")
]
PRIORITIES = {str(number): task(priority=number) for number in range(10)}
TITLES = {
    name: task(title=fold(name)) for name in ("Straße", "CAFÉ", 'say "hi"', "back\\slash", "a", "b")
}
LABELLED = {
    "none": task(),
    "home": task(labels=[HOME]),
    "office": task(labels=[OFFICE]),
    "both": task(labels=[HOME, OFFICE]),
    "odd": task(labels=[ODD]),
}
PLACED = {
    "inbox": task(),
    "work": task(list=WORK),
    "work too": task(list=WORK_TOO),
    "garden": task(list=GARDEN),
}
OPEN_AND_DONE = {"open": task(), "done": task(completed=True)}


@pytest.mark.parametrize("form", FORMS)
def test_a_task_without_a_time_meets_no_comparison_of_it(select: Selection, form: str) -> None:
    other = "start" if form.startswith("due") else "due"
    tasks = {"without": task(**{other: at(NOW)})}
    assert select(form, tasks) == set()
    assert select(f"not {form}", tasks) == {"without"}
    assert select(f"not not ({form})", tasks) == set()


def test_not_before_tomorrow_includes_tasks_without_due(select: Selection) -> None:
    assert select("not (due < tomorrow)", PLANNED) == {"tomorrow", "sometime"}
    assert select("not (due >= tomorrow)", PLANNED) == PLANNED.keys() - {"tomorrow"}
    assert select("not (due != today)", PLANNED) == {
        "this morning",
        "tonight",
        "today",
        "sometime",
    }


def test_facets_that_are_missing_are_like_null(select: Selection) -> None:
    tasks: dict[str, Facets] = {"empty": {}}
    for form in (*FORMS, "overdue", "today", 'has label "home"', 'list "Work"', 'title < "x"'):
        assert select(form, tasks) == set()
        assert select(f"not ({form})", tasks) == {"empty"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("due = today", {"this morning", "tonight", "today"}),
        ("today", {"this morning", "tonight", "today"}),
        ("due != today", {"yesterday", "tomorrow"}),
        ("due < today", {"yesterday"}),
        ("due <= today", {"yesterday", "this morning", "tonight", "today"}),
        ("due > today", {"tomorrow"}),
        ("due >= today", {"this morning", "tonight", "today", "tomorrow"}),
        ("due in (yesterday, tomorrow)", {"yesterday", "tomorrow"}),
        ("due in (2026-10-08)", {"tomorrow"}),
        ("due = 2026-10-07T09:00", {"this morning"}),
        ("due in (2026-10-07T09:00, tomorrow)", {"this morning", "tomorrow"}),
        ("due != 2026-10-07T09:00", {"yesterday", "tonight", "today", "tomorrow"}),
        ("due < 2026-10-07T09:00", {"yesterday", "today"}),
        ("due <= 2026-10-07T09:00:00", {"yesterday", "today", "this morning"}),
        ("due > 2026-10-07T09:00", {"tonight", "tomorrow"}),
        ("due >= 2026-10-07t09:00", {"this morning", "tonight", "tomorrow"}),
        ("due < now", {"yesterday", "this morning", "today"}),
        ("due > +12h", {"tomorrow"}),
        ("due >= +12h", {"tonight", "tomorrow"}),
        ("due > -1h and due < +13h", {"tonight"}),
        ("no due", {"sometime"}),
        ("not no due", PLANNED.keys() - {"sometime"}),
        ("overdue", {"yesterday", "this morning"}),
        ("not overdue", {"tonight", "today", "tomorrow", "sometime"}),
        ("today and not overdue", {"tonight", "today"}),
        ("overdue or today", {"yesterday", "this morning", "tonight", "today"}),
    ],
)
def test_due_is_compared_with_days_and_instants(
    select: Selection, query: str, expected: set[str]
) -> None:
    assert select(query, PLANNED) == expected


def test_a_task_is_overdue_from_the_instant_on_until_it_is_completed(select: Selection) -> None:
    instant = at(NOW)
    tasks = {
        "passed": task(overdue=instant - 0.000001),
        "now": task(overdue=instant),
        "soon": task(overdue=instant + 0.000001),
        "done": task(overdue=instant - 1, completed=True),
    }
    assert select("overdue", tasks) == {"passed", "now"}


def test_an_all_day_task_is_not_overdue_before_its_day_ends(select: Selection) -> None:
    tasks = {"report": task(due=at("2026-02-05T08:00:00Z"), overdue=at("2026-02-06T08:00:00Z"))}
    zone = "America/Los_Angeles"
    assert select("overdue", tasks, now="2026-02-06T07:59:59Z", zone=zone) == set()
    assert select("today", tasks, now="2026-02-06T07:59:59Z", zone=zone) == {"report"}
    assert select("overdue", tasks, now="2026-02-06T08:00:00Z", zone=zone) == {"report"}
    assert select("today", tasks, now="2026-02-06T08:00:00Z", zone=zone) == set()


@pytest.mark.parametrize("field", ["start", "created", "updated"])
def test_start_created_and_updated_are_compared_likewise(select: Selection, field: str) -> None:
    tasks = {
        "before": task(**{field: at("2026-10-06T23:59:59.999999Z")}),
        "first": task(**{field: at("2026-10-07T00:00:00Z")}),
        "last": task(**{field: at("2026-10-07T23:59:59.999999Z")}),
        "after": task(**{field: at("2026-10-08T00:00:00Z")}),
    }
    assert select(f"{field} = today", tasks) == {"first", "last"}
    assert select(f"{field} < today", tasks) == {"before"}
    assert select(f"{field} <= today", tasks) == {"before", "first", "last"}
    assert select(f"{field} > today", tasks) == {"after"}
    assert select(f"{field} >= today", tasks) == {"first", "last", "after"}
    assert select(f"{field} != today", tasks) == {"before", "after"}
    assert select("due <= today", tasks) == set()


def test_microseconds_of_now_are_exact(select: Selection) -> None:
    tasks = {
        str(number): task(created=at(f"2026-10-07T10:00:00.12345{number}Z")) for number in range(10)
    }
    now = "2026-10-07T10:00:00.123455Z"
    assert select("created = now", tasks, now=now) == {"5"}
    assert select("created < now", tasks, now=now) == set("01234")
    assert select("created >= now", tasks, now=now) == set("56789")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("priority = 1", "1"),
        ("priority = 0", "0"),
        ("no priority", "0"),
        ("not no priority", "123456789"),
        ("priority < 5", "1234"),
        ("priority <= 4", "1234"),
        ("priority > 7", "89"),
        ("priority >= 7", "789"),
        ("priority >= 0", "123456789"),
        ("priority <= 0", ""),
        ("priority != 0", "123456789"),
        ("priority != 5", "12346789"),
        ("not priority = 5", "012346789"),
        ("not priority < 5", "056789"),
        ("priority in (9)", "9"),
        ("priority in (0, 1, 9)", "019"),
        ("not priority in (0, 1, 9)", "2345678"),
        ("priority = 0 or priority > 5", "06789"),
    ],
)
def test_priority_0_is_none_and_meets_equality_with_0_alone(
    select: Selection, query: str, expected: str
) -> None:
    assert select(query, PRIORITIES) == set(expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('title = "STRASSE"', {"Straße"}),
        ('title = "straße"', {"Straße"}),
        ('title = "café"', {"CAFÉ"}),
        ('title = "cafe\u0301"', {"CAFÉ"}),
        ('title = "ＣＡＦÉ"', {"CAFÉ"}),
        ('title = "cafe"', set()),
        (r'title = "say \"hi\""', {'say "hi"'}),
        (r'title = "back\\slash"', {"back\\slash"}),
        ('title in ("A", "B")', {"a", "b"}),
        ('title in ("A")', {"a"}),
        ('title != "a"', TITLES.keys() - {"a"}),
        ('title <= "B"', {"a", "b"}),
        ('title < "b"', {"a"}),
        ('title > "b" and title < "c"', {"back\\slash"}),
        ('title >= "s"', {"Straße", 'say "hi"'}),
        ('title = ""', set()),
        ('title = "\'; DROP TABLE tasks--"', set()),
    ],
)
def test_titles_are_compared_without_case_and_normal_form(
    select: Selection, query: str, expected: set[str]
) -> None:
    assert select(query, TITLES) == expected


@pytest.mark.parametrize(
    "title",
    [
        "'; DROP TABLE tasks--",
        '"',
        "\\",
        '\\"',
        "$v1",
        "$.completed",
        '" || true || "',
        "/* x */",
        "a\nb",
        "\\u0022",
        "😀",
        "%(owner_id)s %s %%",
        "{facet} {0}",
        "x" * 900,
    ],
)
def test_any_title_is_found_by_itself(select: Selection, title: str) -> None:
    quoted = title.replace("\\", "\\\\").replace('"', '\\"')
    tasks = {"itself": task(title=fold(title)), "other": task(title=fold(title) + "x")}
    assert select(f'title = "{quoted}"', tasks) == {"itself"}
    assert select(f'title != "{quoted}"', tasks) == {"other"}


def test_titles_are_in_the_order_of_code_points(select: Selection) -> None:
    ordered = ["", "\t", "1", "_", "a", "aa", "b", "z", "~", "ä", "א", "\uffee", "😀"]
    tasks = {title: task(title=title) for title in ordered}
    for smaller, larger in pairwise(ordered):
        assert smaller in select(f'title < "{larger}"', tasks)
        assert larger not in select(f'title <= "{smaller}"', tasks)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('has label "home"', {"home", "both"}),
        ('label = "home"', {"home", "both"}),
        ('label = "🏡"', {"home", "both"}),
        ('label != "home"', {"none", "office", "odd"}),
        ('not label = "home"', {"none", "office", "odd"}),
        ('not label != "home"', {"home", "both"}),
        ('has label "home", "office"', {"both"}),
        ('not has label "home", "office"', LABELLED.keys() - {"both"}),
        ('has label "home" and has label "office"', {"both"}),
        ('label in ("home", "office")', {"home", "office", "both"}),
        ('label in ("home")', {"home", "both"}),
        ('not label in ("home", "office")', {"none", "odd"}),
        (r'has label "a \"in\" b & c"', {"odd"}),
        ("no label", {"none"}),
        ("not no label", LABELLED.keys() - {"none"}),
        ('no label or has label "home"', {"none", "home", "both"}),
    ],
)
def test_labels_are_compared_as_a_set(select: Selection, query: str, expected: set[str]) -> None:
    assert select(query, LABELLED) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('list "Work"', {"work", "work too"}),
        ('list = "Work"', {"work", "work too"}),
        ('list != "Work"', {"inbox", "garden"}),
        ('not list "Work"', {"inbox", "garden"}),
        ('list in ("Work", "Garden")', {"work", "work too", "garden"}),
        ('list in ("Garden")', {"garden"}),
        ("no list", {"inbox"}),
        ("not no list", {"work", "work too", "garden"}),
        ('list "Garden" or no list', {"garden", "inbox"}),
    ],
)
def test_lists_of_one_title_are_all_meant_and_no_list_is_the_inbox(
    select: Selection, query: str, expected: set[str]
) -> None:
    assert select(query, PLACED) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("completed", "done"),
        ("not completed", "open"),
        ("completed = true", "done"),
        ("completed = FALSE", "open"),
        ("completed != true", "open"),
        ("completed != false", "done"),
        ("not not completed", "done"),
        ("not not not completed", "open"),
        ("not(not(completed))", "done"),
        ("not (not completed)", "done"),
    ],
)
def test_completed_alone_is_true(select: Selection, query: str, expected: str) -> None:
    assert select(query, OPEN_AND_DONE) == {expected}


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("completed or priority = 1 and today", "completed or (priority = 1 and today)"),
        ("today and priority = 1 or completed", "(today and priority = 1) or completed"),
        ("not completed and today", "(not completed) and today"),
        ("not completed or today", "(not completed) or today"),
        ("not today and not completed or today", "((not today) and (not completed)) or today"),
        ("NOT Completed AND Today", "not completed and today"),
        ("((((completed))))", "completed"),
        ("not (completed or today)", "not completed and not today"),
        ("not (completed and today)", "not completed or not today"),
        ("not not (completed and today)", "completed and today"),
        ("completed and today and priority = 1", "completed and (today and priority = 1)"),
        ("completed or today or priority = 1", "(completed or today) or priority = 1"),
    ],
)
def test_not_binds_before_and_and_before_or(select: Selection, query: str, same: str) -> None:
    tasks = {
        f"{completed} {priority} {day}": task(
            completed=completed, priority=priority, due=at(f"2026-10-{day}T00:00:00Z")
        )
        for completed in (False, True)
        for priority in (0, 1)
        for day in ("07", "08")
    }
    assert select(query, tasks) == select(same, tasks)
    assert select(query, tasks) not in (set(), set(tasks))


def test_the_example_of_the_contract(select: Selection) -> None:
    query = '(overdue or due < +7d) and priority <= 4 and has label "home" and not list "Work"'
    fitting = due("2026-10-13T23:59:59Z") | {"priority": 4, "labels": [HOME], "list": GARDEN}
    tasks = {
        "fitting": fitting,
        "overdue": fitting | {"due": None, "overdue": at("2026-10-01T00:00:00Z")},
        "later": fitting | {"due": at("2026-10-14T00:00:00Z")},
        "less urgent": fitting | {"priority": 5},
        "without priority": fitting | {"priority": 0},
        "of the office": fitting | {"labels": [OFFICE]},
        "at work": fitting | {"list": WORK},
        "in the inbox": fitting | {"list": None},
    }
    assert select(query, tasks) == {"fitting", "overdue", "in the inbox"}


def test_labels_without_ids_and_unknown_ones_are_mistakes_where_they_stand() -> None:
    found = mistake('today and has label "home", "hoem"')
    assert (found.message, found.position) == ('There is no label "hoem".', 29)
    found = mistake('label in ("🏡", "home") and list "Wrok" or label = "x"')
    assert (found.message, found.position) == ('There is no list "Wrok".', 33)
    found = mistake('label = "home"', labels={"home": []})
    assert (found.message, found.position) == ('There is no label "home".', 9)
    assert mistake('list "home"').message == 'There is no list "home".'
    assert mistake('label = "Work"').message == 'There is no label "Work".'
    assert mistake('label = "Home"').message == 'There is no label "Home".'
    assert len(mistake(f'label = "{"x" * 900}"').message) < 100


def test_a_filter_tells_the_names_that_it_needs() -> None:
    parsed = filtering.parse(
        r'has label "home", "a \"in\" b" and (list "Work" or not list in ("X", "Work")) '
        r'or title = "title" or label != "🏡"'
    )
    assert parsed.labels == {"home", 'a "in" b', "🏡"}
    assert parsed.lists == {"Work", "X"}
    assert filtering.parse("today").labels == frozenset() == filtering.parse("today").lists


@pytest.mark.parametrize(
    ("query", "is_relative"),
    [
        ("today", True),
        ("overdue", True),
        ("not (completed and (no due or overdue))", True),
        ("due < now", True),
        ("start < +7d", True),
        ("created > -3h", True),
        ("due in (2026-10-07, monday)", True),
        ("due = yesterday or completed", True),
        ("due < 2026-10-07", False),
        ("due < 2026-10-07T09:00", False),
        ('no due and completed and priority < 3 and title = "today"', False),
        ('list "Work" and has label "home"', False),
    ],
)
def test_a_filter_tells_whether_it_moves_with_the_clock(query: str, is_relative: bool) -> None:
    assert filtering.parse(query).is_relative is is_relative
    later = compiled(query, now="2026-11-11T11:11:11Z")
    assert (compiled(query) != later) is is_relative


def test_a_conjunction_keeps_the_values_of_its_parts_apart(select: Selection) -> None:
    parts = [compiled("priority = 1"), compiled("due >= today and due <= +1d"), compiled("no due")]
    tasks = [task(priority=1), task(priority=1, due=at(NOW)), task(priority=2, due=at(NOW))]
    assert select.matches(filtering.conjunction(*parts[:2]), tasks) == [False, True, False]
    assert select.matches(filtering.conjunction(parts[0], parts[2]), tasks) == [True, False, False]
    assert select.matches(filtering.conjunction(parts[0], parts[0]), tasks) == [True, True, False]
    nested = filtering.conjunction(filtering.conjunction(*parts[:2]), parts[0])
    assert select.matches(nested, tasks) == [False, True, False]
    assert len(nested.values) == 4
    either = filtering.conjunction(compiled("completed or priority = 2"), compiled("today"))
    assert select.matches(either, tasks) == [False, False, True]


def test_a_conjunction_of_many_variables_renames_each_once(select: Selection) -> None:
    many = compiled("priority in (1, 2, 3, 4, 5, 6, 7, 8, 9) or priority in (1, 2, 3)")
    both = filtering.conjunction(many, compiled('title = "x"'), many)
    assert list(both.values) == [f"v{number}" for number in range(1, 26)]
    tasks = [task(priority=9, title="x"), task(priority=0, title="x"), task(priority=9)]
    assert select.matches(both, tasks) == [True, False, False]


def test_a_conjunction_of_nothing_holds_everywhere(select: Selection) -> None:
    nothing = filtering.conjunction()
    assert select.matches(nothing, [task(), task(completed=True)]) == [True, True]
    assert select.matches(filtering.conjunction(nothing, compiled("completed")), [task()]) == [
        False
    ]
    assert filtering.conjunction(compiled("today")) == compiled("today")


def test_the_facets_of_these_tests_are_those_of_the_database(select: Selection) -> None:
    made = select.connection.execute(
        """
        SELECT
            task_facets(
                'title', NULL, NULL, NULL, 0, '{}', NULL, NULL, NULL, to_timestamp(0),
                to_timestamp(0)
            ),
            task_facets(
                'title', now(), %(list)s, %(list)s, 3, %(labels)s, '2026-10-08T00:00Z',
                '2026-10-07T00:00Z', '2026-10-06T12:00Z', '2026-10-05T00:00:00.123456Z',
                '2026-10-05T00:00:01Z'
            )
        """,
        {"list": WORK, "labels": [HOME, OFFICE]},
    ).fetchone()
    full = task(
        title="title",
        completed=True,
        list=WORK,
        parent=WORK,
        priority=3,
        labels=[HOME, OFFICE],
        overdue=at("2026-10-08T00:00:00Z"),
        due=at("2026-10-07T00:00:00Z"),
        start=at("2026-10-06T12:00:00Z"),
        created=at("2026-10-05T00:00:00.123456Z"),
        updated=at("2026-10-05T00:00:01Z"),
    )
    assert made == (task(title="title"), full)


def test_the_database_function_passes_agrees(select: Selection) -> None:
    filtered: Compiled = compiled("today")
    found = select.connection.execute(
        "SELECT passes(%s, %s, %s), passes(%s, NULL, NULL)",
        [Jsonb(due(NOW)), filtered.path, Jsonb(filtered.values), Jsonb(task())],
    ).fetchone()
    assert found == (True, True)

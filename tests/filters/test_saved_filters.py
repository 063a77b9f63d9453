"""Saved filters: a title, the text of the parameter filter, and a sort order."""

from urllib.parse import quote

import pytest

from app.search.repository import SORTS
from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.items import Items, version

QUERIES = [
    "overdue",
    '(overdue or due < +7d) and priority <= 4 and has label "home" and not list "Work"',
    "NOT completed",
    'title = "a \\" and a \\\\"',
    "due in (today, tomorrow)",
    "  overdue  ",
    'title = "日本 😀"',
]
BROKEN = [
    ("duedate < 3", "1"),
    ("overdue and", "12"),
    ("(overdue", "9"),
    ("overdue)", "8"),
    ('title = "open', "9"),
    ("priority < 1 or or", "17"),
]


@pytest.fixture
def filters(alice: ApiUser) -> Items:
    return Items(alice, "filter")


@pytest.mark.proves("TASK-191")
def test_a_new_filter_sorts_as_the_list_of_tasks_does(filters: Items) -> None:
    made = filters.create("Late")
    assert made.keys() == {
        "id", "owner_id", "title", "query", "sort", "position", "created_at", "updated_at",
        "version",
    }  # fmt: skip
    assert (made["query"], made["sort"]) == ("overdue", "-created_at")


@pytest.mark.proves("TASK-190")
@pytest.mark.parametrize("query", QUERIES)
def test_a_query_comes_back_as_it_was_sent_and_filters_tasks(filters: Items, query: str) -> None:
    alice = filters.user
    Items(alice, "label").create("Home")
    Items(alice, "list").create("work")
    made = filters.create(query=query)
    assert made["query"] == query
    answer = alice.get(f"?filter={quote(made['query'])}&sort={made['sort']}")
    assert answer.status_code == 200, answer.text


@pytest.mark.proves("TASK-181")
@pytest.mark.parametrize(("query", "position"), BROKEN)
def test_a_query_that_does_not_parse_is_refused_with_its_position(
    filters: Items, query: str, position: str
) -> None:
    item = filters.create()
    for answer in (
        filters.call("POST", body=filters.fields(query=query)),
        filters.call("PATCH", f"/{item['id']}", {"query": query}),
    ):
        assert broken_fields(answer) == ["query"]
        (detail,) = answer.get_json()["error"]["details"]
        assert detail["message"].startswith(f"Character {position}: "), detail
    assert filters.listed() == [item]


@pytest.mark.proves("TASK-182")
@pytest.mark.parametrize(
    "query",
    [
        "",
        "x" * 1001,
        "overdue" + " " * 994,
        "(" * 21 + "overdue" + ")" * 21,
        "a\x00",
        None,
        7,
        [],
        {},
    ],
)
def test_a_query_is_text_of_up_to_1000_characters(filters: Items, query: object) -> None:
    answer = filters.call("POST", body=filters.fields(query=query))
    assert broken_fields(answer) == ["query"]
    assert filters.listed() == []


def test_a_query_of_1000_characters_is_kept(filters: Items) -> None:
    query = 'title = "' + "😀" * 990 + '"'
    assert len(query) == 1000
    assert filters.create(query=query)["query"] == query


@pytest.mark.proves("TASK-191")
@pytest.mark.parametrize("sort", list(SORTS))
def test_every_sort_order_of_tasks_is_one_of_filters(filters: Items, sort: str) -> None:
    made = filters.create(sort=sort)
    assert made["sort"] == sort
    assert filters.user.get(f"?filter=overdue&sort={quote(made['sort'])}").status_code == 200


@pytest.mark.proves("TASK-191")
@pytest.mark.parametrize("sort", ["", "id", "+title", "Title", "title,due", None, 7, ["title"]])
def test_other_sort_orders_are_refused(filters: Items, sort: object) -> None:
    assert broken_fields(filters.call("POST", body=filters.fields(sort=sort))) == ["sort"]
    item = filters.create()
    assert broken_fields(filters.call("PATCH", f"/{item['id']}", {"sort": sort})) == ["sort"]


def test_title_and_query_are_required(filters: Items) -> None:
    assert sorted(broken_fields(filters.call("POST", body={}))) == ["query", "title"]
    assert broken_fields(filters.call("POST", body={"title": "t"})) == ["query"]


def test_two_filters_may_have_one_title_and_one_query(filters: Items) -> None:
    assert filters.create("Late")["id"] != filters.create("Late")["id"]


def test_a_change_keeps_what_it_leaves_out(filters: Items) -> None:
    made = filters.create("Late", query="overdue", sort="due")
    changed = filters.change(made["id"], query="not overdue")
    own = {name: changed[name] for name in ("version", "updated_at")}
    assert changed == {**made, **own, "query": "not overdue"}
    assert filters.change(made["id"], sort="due", query="not overdue") == changed


@pytest.mark.proves("TASK-184", "TASK-190")
def test_a_filter_may_name_a_label_before_it_is_made(filters: Items) -> None:
    """It is text: what it names is looked up when it is used."""
    alice = filters.user
    query = filters.create(query='has label "home"')["query"]
    path = f"?filter={quote(query)}"
    assert broken_fields(alice.get(path)) == ["filter"]
    label = Items(alice, "label").create("Home")["id"]
    task = Items(alice, "task").create(label_ids=[label])
    assert data(alice.get(path)) == [task]
    Items(alice, "label").change(label, name="House")
    assert broken_fields(alice.get(path)) == ["filter"]


def test_a_refused_filter_takes_no_version(filters: Items) -> None:
    for fields in ({"query": "("}, {"sort": "x"}, {"title": ""}, {"color": "#000000"}):
        answer = filters.call("POST", body={**filters.fields(), **fields})
        assert error(answer) == (422, "VALIDATION_FAILED")
    assert version(filters.user) == 0

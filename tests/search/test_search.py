"""Lists: order, pagination during concurrent writes, filters and search."""

import random
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import psycopg
import pytest

from app import create_app
from app.config import Config
from app.values import fold
from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.databases import Postgres
from tests.support.remote_user import sign_up
from tests.support.server import Reply, serving
from tests.support.task_rows import add_tasks, unrecorded

SORTS = ["created_at", "-created_at", "updated_at", "-updated_at", "title", "-title"]
NAMES = ["b", "a", "B", "ä", "aa", "a", "\U0001f600", "a ", "z", "א", "_", "~", "Ａ"]


def pages(user: ApiUser, **query: Any) -> Iterator[list[dict[str, Any]]]:
    """Every page from the first on, by the Link header; `meta` must agree with it."""
    path: str | None = f"?{urlencode(query)}"
    while path is not None:
        answer = user.get(path)
        yield data(answer)
        link, cursor = answer.headers.get("Link"), answer.get_json()["meta"]["next_cursor"]
        assert (link is None) == (cursor is None)
        path = None
        if link is not None:
            url = link.removeprefix("<").removesuffix('>; rel="next"')
            assert parse_qs(urlsplit(url).query)["cursor"] == [cursor]
            assert urlsplit(url).path == "/api/me/tasks"
            path = "?" + urlsplit(url).query


def titles(user: ApiUser, **query: Any) -> list[str]:
    return [task["title"] for page in pages(user, **query) for task in page]


def ordered(tasks: list[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    key = sort.removeprefix("-")
    return sorted(tasks, key=lambda task: (task[key], task["id"]), reverse=sort.startswith("-"))


@pytest.fixture
def many(alice: ApiUser) -> list[dict[str, Any]]:
    """Thirteen tasks, some with equal titles, some updated in another order than created."""
    tasks = [alice.create(name) for name in NAMES]
    for task in tasks[2:9:3]:
        alice.patch(f"/{task['id']}/complete")
    return [data(alice.get(f"/{task['id']}")) for task in tasks]


@pytest.mark.proves("TASK-11")
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 3, 13, 200])
def test_pages_hold_every_task_once_in_order(
    alice: ApiUser, many: list[dict[str, Any]], sort: str, limit: int
) -> None:
    found = list(pages(alice, sort=sort, limit=limit))
    assert [task for page in found for task in page] == ordered(many, sort)
    assert all(len(page) == limit for page in found[:-1])
    assert 0 < len(found[-1]) <= limit


@pytest.mark.proves("TASK-10")
def test_the_newest_come_first_50_at_a_time(alice: ApiUser) -> None:
    made = [alice.create(f"{number}")["id"] for number in range(51)]
    answer = alice.get()
    assert [task["id"] for task in data(answer)] == made[:0:-1]
    assert answer.get_json()["meta"]["limit"] == 50


def test_a_list_without_tasks_is_an_empty_page(alice: ApiUser) -> None:
    body = alice.get().get_json()
    assert (body["data"], body["meta"]) == ([], {"next_cursor": None, "limit": 50, "version": 0})


@pytest.mark.proves("TASK-11")
@pytest.mark.parametrize("sort", SORTS)
def test_concurrent_changes_neither_repeat_nor_skip_other_tasks(alice: ApiUser, sort: str) -> None:
    chance = random.Random(sort)
    staying = {alice.create(f"stay {chance.randrange(20):02}")["id"] for _ in range(24)}
    deleted = [alice.create(f"stay {chance.randrange(20):02}")["id"] for _ in range(12)]
    seen: list[str] = []
    for page in pages(alice, sort=sort, limit=4):
        seen += [task["id"] for task in page]
        if deleted:
            alice.delete(f"/{deleted.pop()}")
        alice.create(f"stay {chance.randrange(20):02}")
        if page and page[-1]["id"] in deleted:
            alice.delete(f"/{page[-1]['id']}")  # the task that the cursor points at
        if len(seen) > 200:
            break
    counted = [identifier for identifier in seen if identifier in staying]
    assert sorted(counted) == sorted(staying)


@pytest.mark.parametrize("sort", SORTS)
def test_filters_apply_to_every_page(alice: ApiUser, sort: str) -> None:
    for number in range(9):
        task = alice.create(f"{'find' if number % 3 else 'lose'} {number}")
        if number % 2:
            alice.patch(f"/{task['id']}/complete")
    expected = {"find 1", "find 5", "find 7"}
    found = titles(alice, sort=sort, limit=1, q="FIND", is_completed="true")
    assert len(found) == 3
    assert set(found) == expected


@pytest.mark.proves("TASK-14")
def test_is_completed_filters_the_list(alice: ApiUser) -> None:
    done, still_open = alice.create("done"), alice.create("open")
    alice.patch(f"/{done['id']}/complete")
    assert titles(alice, is_completed="true") == ["done"]
    assert titles(alice, is_completed="false") == ["open"]
    assert titles(alice) == ["open", "done"]
    alice.delete(f"/{still_open['id']}")
    assert titles(alice) == ["done"]


# --- cursors ------------------------------------------------------------------------------------


@pytest.fixture
def cursor(alice: ApiUser) -> str:
    for name in "abc":
        alice.create(name)
    return str(alice.get("?limit=1&sort=title").get_json()["meta"]["next_cursor"])


@pytest.mark.proves("TASK-12")
def test_a_cursor_is_valid_with_another_limit(alice: ApiUser, cursor: str) -> None:
    assert titles(alice, sort="title", cursor=cursor, limit=2) == ["b", "c"]


@pytest.mark.proves("TASK-12")
def test_a_cursor_survives_a_restart(alice: ApiUser, cursor: str, config: Config) -> None:
    restarted = create_app(config)
    again = replace(alice, client=restarted.test_client())
    assert titles(again, sort="title", cursor=cursor) == ["b", "c"]


@pytest.mark.proves("TASK-12")
@pytest.mark.parametrize(
    "query",
    ["", "sort=-title", "sort=created_at", "sort=title&q=b", "sort=title&is_completed=true"],
)
def test_a_cursor_is_bound_to_the_other_parameters(alice: ApiUser, cursor: str, query: str) -> None:
    assert error(alice.get(f"?{query}&cursor={cursor}")) == (400, "BAD_REQUEST")


@pytest.mark.proves("TASK-12")
def test_a_cursor_is_bound_to_its_user_and_its_list(
    alice: ApiUser, bob: ApiUser, cursor: str
) -> None:
    assert error(bob.get(f"?sort=title&cursor={cursor}")) == (400, "BAD_REQUEST")
    for name in "ab":
        alice.delete(f"/{alice.create(name)['id']}")
    trash = alice.get("/trash?limit=1").get_json()["meta"]["next_cursor"]
    assert alice.get(f"/trash?cursor={trash}").status_code == 200
    assert error(alice.get(f"?cursor={trash}")) == (400, "BAD_REQUEST")
    assert error(alice.get(f"/trash?cursor={cursor}")) == (400, "BAD_REQUEST")


@pytest.mark.proves("TASK-12")
def test_a_cursor_that_was_tampered_with_is_refused(alice: ApiUser, cursor: str) -> None:
    for position in range(0, len(cursor), 5):
        other = "A" if cursor[position] != "A" else "B"
        changed = cursor[:position] + other + cursor[position + 1 :]
        answer = alice.get(query_string={"sort": "title", "cursor": changed})
        assert error(answer) == (400, "BAD_REQUEST")


@pytest.mark.proves("TASK-12")
@pytest.mark.parametrize(
    "text", ["", "x", "=", "é", "\x00", "null", "W10", "A" * 5000, "-_-_", "\U0001f600", "٣", " "]
)
def test_a_malformed_cursor_is_refused(alice: ApiUser, text: str) -> None:
    assert error(alice.get(query_string={"cursor": text})) == (400, "BAD_REQUEST")


@pytest.mark.proves("TASK-12")
def test_a_cursor_is_valid_under_me_and_under_the_user_s_id(alice: ApiUser, cursor: str) -> None:
    answer = alice.call("GET", f"/api/{alice.id}/tasks?sort=title&cursor={cursor}")
    assert [task["title"] for task in data(answer)] == ["b", "c"]


# --- search -------------------------------------------------------------------------------------

TEXT = "Straße nach ÖSTERREICH"
FINDS: list[tuple[str, str]] = [
    ("Buy MILK today", "milk"),
    ("Buy milk today", "MIL"),
    ("Buy milk today", "today  buy"),
    ("Buy milk today", "\u3000ilk\tuy\n"),
    (TEXT, "strasse"),
    (TEXT, "STRASSE österreich"),
    (TEXT, unicodedata.normalize("NFD", "österreich")),
    (unicodedata.normalize("NFD", TEXT), "ÖSTERREICH"),
    ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
    ("Ἀθῆναι", unicodedata.normalize("NFD", "ἈΘΗ͂ΝΑΙ")),
    ("МОСКВА и Ёлка", "москва ёлка"),
    ("ﬁnal ﬂight", "FINAL flight"),
    ("２０２６年の予定", "2026"),
    ("買い物リスト", "物リ"),
    ("ｶﾀｶﾅ", "カタカナ"),
    ("한국어 공부", unicodedata.normalize("NFD", "국어")),
    ("שלום עולם", "עולם"),
    ("مرحبا بالعالم", "بالعالم"),
    ("हिन्दी सीखो", "हिन्दी"),
    ("ไทยแลนด์", "แลนด์"),
    ("party \U0001f469\u200d\U0001f4bb!", "\U0001f469\u200d\U0001f4bb"),
    ("ქართული", "ᲥᲐᲠᲗᲣᲚᲘ"),
    ("ꭰꮃꭹ", "ᎠᎳᎩ"),
    ("100% sure", "0%"),
    ("snake_case", "e_c"),
    ("back\\slash", "\\"),
    ('it\'s "quoted"', "'s"),
    ('it\'s "quoted"', '"quoted"'),
    ("; DROP TABLE tasks; --", "tasks; --"),
    ("a*b?[c]", "*b?[c]"),
    ("the not and or", "the not"),
    ("I don´t", "DON´T"),
    ("Reise nach İstanbul", "istanbul"),
    ("reise nach istanbul", "İSTANBUL"),
    ("i\u0307zmir", "İzmir"),
]
# The same, where the characters that make the difference are invisible.
FINDS_INVISIBLE = [
    ("Donau\u00addampfschiff", "donaudampf"),
    ("Donaudampfschiff", "donau\u00addampf"),
    ("می\u200cخواهم", "میخواهم"),
    ("क्\u200dष", "क्ष"),
    ("I \u2764\ufe0f tea", "\u2764"),
    ("zero\u200bwidth\ufeff", "zerowidth"),
    ("e\u0316\u034f\u0301", "é\u0316"),
    ("e" + "\u0301" * 40, "e" + "\u0301" * 35),
]


@pytest.mark.proves("TASK-13", "TASK-16")
@pytest.mark.parametrize(("text", "words"), FINDS + FINDS_INVISIBLE)
def test_a_search_matches_each_word_regardless_of_case_and_unicode_form(
    alice: ApiUser, text: str, words: str
) -> None:
    other = alice.create("something else", "quite different")
    in_title, in_description = alice.create(text), alice.create("ordinary", text)
    found = {task["id"] for page in pages(alice, q=words) for task in page}
    assert found == {in_title["id"], in_description["id"]}
    assert other["id"] not in found


@pytest.mark.proves("TASK-13")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("100 percent", "0%"),
        ("100 percent", "%"),
        ("snakecase", "_"),
        ("snake case", "e_c"),
        ("slash", "\\"),
        ("running", "ran"),
        ("milk", "milks"),
        ("milk", "milk bread"),
        ("abc", "a%c"),
        ("resume", "résumé"),
        ("´t don", "don´t"),  # the acute accent folds into a space and a combining accent
    ],
)
def test_no_character_is_a_wildcard_and_no_word_is_stemmed(
    alice: ApiUser, text: str, words: str
) -> None:
    alice.create(text)
    assert titles(alice, q=words) == []


@pytest.mark.proves("TASK-13")
def test_words_match_in_the_title_or_the_description_but_not_across_them(
    alice: ApiUser,
) -> None:
    alice.create("butter milk", "fresh bread")
    assert titles(alice, q="bread butter") == ["butter milk"]
    assert titles(alice, q="milkfresh") == []
    alice.create("don", "\u0301t")  # joined by a space it would be what "don´t" is folded into
    assert titles(alice, q="don´t") == []


@pytest.mark.proves("TASK-13")
def test_a_search_reads_the_current_text(alice: ApiUser) -> None:
    task = alice.create("old", "older")
    alice.patch(f"/{task['id']}", json={"title": "NEW"})
    assert (titles(alice, q="old"), titles(alice, q="new")) == (["NEW"], ["NEW"])
    alice.patch(f"/{task['id']}", json={"description": None})
    assert titles(alice, q="old") == []


@pytest.mark.proves("TASK-13")
@pytest.mark.parametrize("words", ["", " " * 201, "a" * 201, "\x00", "a\x00b"])
def test_a_search_is_1_to_200_characters_that_can_be_stored(alice: ApiUser, words: str) -> None:
    assert broken_fields(alice.get(query_string={"q": words})) == ["q"]


@pytest.mark.proves("TASK-13")
@pytest.mark.parametrize("letter", ["a", "\U0001f600", "\u0301", "\u202e", "ﷺ", "'", "\\", "%"])
def test_a_search_of_200_characters_is_accepted(alice: ApiUser, letter: str) -> None:
    alice.create(letter * 255)
    assert len(titles(alice, q=letter * 200)) == 1


@pytest.mark.parametrize("words", [" \u3000", "\u00ad", "a \u00ad"])
def test_white_space_and_invisible_characters_are_no_words(alice: ApiUser, words: str) -> None:
    alice.create("a")
    assert titles(alice, q=words) == ["a"]


@pytest.mark.proves("TASK-13")
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("change", [str.lower, str.upper, str.title, str.casefold, str.swapcase])
def test_folding_ignores_case_and_normal_form(form: Any, change: Callable[[str], str]) -> None:
    for text in [text for text, _ in FINDS] + ["ŉ", "ǰ", "ΐ", "ẞ", "ﬗ", "K", "Å", "ϴ"]:
        assert fold(unicodedata.normalize(form, change(text))) == fold(fold(text))


# --- 10,000 tasks of one user -------------------------------------------------------------------

FILL = """
INSERT INTO tasks (
    owner_id, id, title, description, created_at, updated_at, version, last_action,
    request_id, title_folded, description_folded, completed_at
)
SELECT
    %(owner)s, uuidv7_at(at), 'task ' || (number * 7919) %% 10007, 'about ' || number, at, at,
    number, 'create', 'many', 'task ' || (number * 7919) %% 10007, 'about ' || number,
    CASE WHEN number %% 10 = 0 THEN at END
FROM (
    SELECT number, timestamptz '2026-01-01 UTC' + number * interval '1 minute' AS at
    FROM generate_series(1, 10000) AS number
) AS numbers
"""


@pytest.fixture
def ten_thousand(alice: ApiUser, database_url: str) -> ApiUser:
    """Alice with 10,000 tasks, of which every tenth is completed."""
    with psycopg.connect(database_url) as connection, unrecorded(connection):
        connection.execute(FILL, {"owner": alice.id})
        connection.execute("UPDATE ledgers SET version = 10000 WHERE owner_id = %s", [alice.id])
    return alice


@pytest.mark.proves("TASK-15")
def test_lists_filters_and_search_work_on_10_000_tasks(ten_thousand: ApiUser) -> None:
    found: list[dict[str, Any]] = []
    for sort in SORTS:
        found = [task for page in pages(ten_thousand, sort=sort, limit=200) for task in page]
        assert len({task["id"] for task in found}) == len(found) == 10_000
        assert found == ordered(found, sort)
    assert len(titles(ten_thousand, is_completed="true", limit=200)) == 1000
    expected = [task for task in found if "999" in task["title"] + " " + task["description"]]
    assert len(titles(ten_thousand, q="about 999", limit=200)) == len(expected) > 20
    made = ten_thousand.create("one more")
    assert made["version"] == 10_001
    assert data(ten_thousand.get("?limit=1")) == [made]


def test_another_user_sees_none_of_the_10_000_tasks(ten_thousand: ApiUser, bob: ApiUser) -> None:
    assert titles(bob) == []
    assert titles(bob, q="task") == []
    assert len(data(ten_thousand.get("?limit=200"))) == 200


# --- slow searches ------------------------------------------------------------------------------

FILL_DESCRIPTIONS = """
    UPDATE tasks SET description_folded = %(text)s WHERE owner_id = %(owner_id)s
"""
LATE = [chr(ord("\u0430") + number) for number in range(32)]  # Cyrillic letters without marks
# Words that are in no text of 5,000 times "a", although long parts of them are.
HARD_WORDS = ["a" * 199 + "b", "b" + "a" * 199, "a" * 100 + "b" + "a" * 99]


def fill_descriptions(admin: psycopg.Connection, owner_id: str, text: str) -> None:
    with unrecorded(admin):
        admin.execute(FILL_DESCRIPTIONS, {"owner_id": owner_id, "text": text})


@pytest.mark.proves("TASK-15")
@pytest.mark.parametrize("word", HARD_WORDS)
def test_no_word_is_too_hard_for_10_000_long_tasks(
    ten_thousand: ApiUser, database_url: str, word: str
) -> None:
    with psycopg.connect(database_url) as connection:
        fill_descriptions(connection, ten_thousand.id, "a" * 5000)
    assert titles(ten_thousand, q=word) == []


SLOW = " ".join([*LATE, "z"])
SLOW_TASKS = 1000
SEARCHERS = 24  # more than the server has threads
PROMPT = 0.7  # seconds


RUNNING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND query LIKE '%sql/search/list%'
        AND pid <> pg_backend_pid()
"""


@pytest.mark.proves("RUN-82", "OPS-45")
@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_slow_searches_of_a_user_delay_nobody_else(
    postgres: Postgres, migrated: str, tmp_path: Path, processes: int
) -> None:
    with (
        postgres.database(template=migrated) as name,
        serving(
            postgres.url(name),
            tmp_path,
            WEB_CONCURRENCY=str(processes),
            DB_STATEMENT_TIMEOUT_MS="10000",  # a slow machine ends its searches, too
        ) as server,
        psycopg.connect(postgres.superuser_url(name), autocommit=True) as admin,
        ThreadPoolExecutor(SEARCHERS) as searchers,
    ):
        alice, bob = sign_up(server), sign_up(server)
        bob.create("needle")
        add_tasks(admin, alice.id, SLOW_TASKS)
        fill_descriptions(admin, alice.id, "\u0451" * 4900 + "".join(LATE))
        stop = threading.Event()

        def search() -> list[Reply]:
            """Repeats a search that takes long for alice's tasks."""
            answers = [alice.get(f"/tasks?{urlencode({'q': SLOW})}")]
            while not stop.wait(0.1):
                answers.append(alice.get(f"/tasks?{urlencode({'q': SLOW})}"))
            return answers

        searches = [searchers.submit(search) for _ in range(SEARCHERS)]
        running = []
        try:
            for path in ["/tasks", "/tasks?q=needle", "/changes", "/export"] * 5:
                began = time.monotonic()
                assert bob.get(path).status == 200
                assert time.monotonic() - began < PROMPT
                running += [count for (count,) in admin.execute(RUNNING)]
        finally:
            stop.set()
        assert max(running) == processes
        answers = [answer for each in searches for answer in each.result()]
        refused = [answer for answer in answers if answer.status != 200]
        assert 0 < len(refused) < len(answers)
        assert {answer.status for answer in refused} == {503}
        assert {answer.json["error"]["code"] for answer in refused} == {"UNAVAILABLE"}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
        assert alice.get("/tasks?q=task").status == 200

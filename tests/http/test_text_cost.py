"""Work on clients' text takes time in proportion to its length, whatever the characters are."""

import json
import sys
import unicodedata
from collections.abc import Callable, Mapping
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.auth.passwords import Passwords, is_common
from app.auth.schemas import LOGIN, REGISTRATION, email_key
from app.http.body import parse_json
from app.http.fields import load
from app.http.query import _parse
from app.observability.logs import _scrubbed
from app.search.schemas import LIST_QUERY
from app.tasks.schemas import NEW_TASK
from app.values import IGNORABLE, LONGEST_RUN, UNSPACED, VOICED, _is_mark, fold, nfkc_casefold
from tests.support.api_user import ApiUser, data, error

SIZE = 64 * 1024  # bytes
GOAL = 0.005  # seconds for SIZE, on an idle host
SLOWNESS = 20  # of the slowest host; quadratic work is slower by more than that
RUNS = 5
CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
# Each class is lower than the one before it: to sort them is the most work.
REVERSED = "\u0345\u0315\u0300\u0316\u0327\u0334"
GREEK = "\u1f82\u0345"  # letters and marks that fold to more characters
TROUBLE = st.sampled_from(
    [*"aiIİſßŉΐᾂͅͺﾞﾟｶ가각각ﷺ㌀\u034f\u200d\ufe0f", *REVERSED, "\u0f73", "\u0301", "\u0307"]
)


def repeated(unit: str) -> str:
    """SIZE bytes of that text, or a little less."""
    return unit * (SIZE // len(unit.encode()))


def sorted_late(size: int) -> str:
    """A letter and that many marks, all of the first kind before all of the second and so on."""
    return "a" + "".join(mark * (size // len(REVERSED)) for mark in REVERSED)


WORST = {
    "marks in reverse order": sorted_late(SIZE // 2 - 500),
    "marks in turns": repeated(REVERSED),
    "one mark": repeated("\u0301"),
    "runs of the longest length": repeated("a" + REVERSED * (LONGEST_RUN // len(REVERSED))),
    "marks between ignorable characters": repeated("\u0315\u034f\u0300\u200d\u0316\ufe0f"),
    "halfwidth marks": repeated("\u0301\uff9e\u0316"),
    "marks that are two": repeated("\u0f73\u0f75\u0f81"),
    "18 characters from one": repeated("\ufdfa"),
    "squared words": repeated("\u3300"),
    "Greek letters of three": repeated("\u0390"),
    "Greek letters and marks": repeated(GREEK),
    "dotted capitals": repeated("İ"),
    "Hangul": repeated("\uac01"),
    "conjoining jamo": repeated("\u1100\u1161\u11a8"),
    "flags": repeated("\U0001f1e6\U0001f1fa"),
    "joined emoji": repeated("\U0001f469\u200d"),
    "sharp s": repeated("ß"),
    "many kinds": "".join(chr(0x4E00 + number) for number in range(SIZE // 3 - 900)),
    "blanks": repeated(" "),
    "ignorable": repeated("\u034f"),
    "tokens cut off": repeated("eyJé"),
    "a token's beginning": repeated("eyJ"),
    "e-mails": repeated("a@"),
    "hashes": repeated("$2b$10$"),
    "brackets": repeated("["),
    "braces": repeated('{"":'),
    "quotes": repeated('"'),
    "backslashes": '"' + repeated("\\"),
    "digits": repeated("1"),
    "a list": "[" + repeated("1,"),
    "brackets in strings": '["' + repeated("[") + '"]',
    "percent signs": repeated("%"),
    "ampersands": repeated("&"),
    "dots": repeated("a."),
    "Arabic digits": "a@" + repeated("\u0660"),
}
PASSWORDS = Passwords(4, 2)


def _parsed(text: str) -> object:
    try:
        return parse_json(text.encode())
    except Exception as error:  # noqa: BLE001  # refused is as good as read, as long as it is soon
        return error


PATHS: Mapping[str, Callable[[str], object]] = {
    "fold": fold,
    "email_key": email_key,
    "verify": lambda text: PASSWORDS.verify(text, None),
    "registration": lambda text: load(REGISTRATION, {"email": text, "password": text}),
    "login": lambda text: load(LOGIN, {"email": text, "password": text}),
    "new task": lambda text: load(NEW_TASK, {"title": text, "description": text}),
    "JSON": _parsed,
    "query": lambda text: _parse.__wrapped__(LIST_QUERY, b"q=" + text.encode("utf-8", "replace")),
    "log": _scrubbed,
}
# What is used up to a limit of its own, with the longest text.
SHORT: Mapping[str, tuple[int, Callable[[str], object]]] = {
    "password": (256, is_common),
    "registration's e-mail": (254, lambda text: load(REGISTRATION, {"email": text})),
    "login's e-mail": (508, email_key),
    "domain": (252, lambda text: email_key("a@" + text)),
    "query": (200, lambda text: load(LIST_QUERY, {"q": text})),
    "title": (255, fold),
    "description": (5000, fold),
}


def seconds(work: Callable[[], object]) -> float:
    """The least CPU time of some runs, the first of which fills caches."""
    spent = []
    for _ in range(RUNS):
        began = thread_time()
        work()
        spent.append(thread_time() - began)
        if spent[-1] > 1:
            break  # hopeless
    return min(spent)


@pytest.mark.proves("API-21")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("case", WORST)
def test_64_kib_of_any_text_take_milliseconds(path: str, case: str) -> None:
    assert seconds(lambda: PATHS[path](WORST[case])) < GOAL * SLOWNESS


@pytest.mark.proves("API-21")
@pytest.mark.parametrize("path", SHORT)
def test_text_of_the_longest_length_takes_milliseconds(path: str) -> None:
    limit, work = SHORT[path]
    for case, text in {**WORST, "marks": sorted_late(limit)}.items():
        assert seconds(lambda: work(text[:limit])) < GOAL * SLOWNESS / 2, case  # noqa: B023


@pytest.mark.proves("API-21")
@pytest.mark.parametrize("field", ["email", "password"])
def test_a_log_in_of_64_kib_is_refused_at_once(alice: ApiUser, field: str) -> None:
    body = {"email": alice.email, "password": "wrong", field: WORST["marks in reverse order"]}
    text = json.dumps(body, ensure_ascii=False).encode()
    responses: list[TestResponse] = []

    def log_in() -> None:
        answer = alice.client.post("/api/auth/login", data=text, content_type="application/json")
        responses.append(answer)

    assert seconds(log_in) < 0.25
    assert error(responses[0]) == (401, "INVALID_CREDENTIALS")


@pytest.mark.proves("API-22")
@pytest.mark.parametrize("keyed", [False, True], ids=["without a key", "with a key"])
@pytest.mark.parametrize("letter", ["\ufdfa", "\u3300", *REVERSED[:1]])
def test_the_largest_batch_of_any_text_is_accepted(
    alice: ApiUser, letter: str, keyed: bool
) -> None:
    operations = [{"op": "create", "title": "a", "description": letter * 2600}] * 100
    answer = alice.call(
        "POST",
        "/api/me/batch",
        data=json.dumps({"operations": operations}, ensure_ascii=False).encode(),
        content_type="application/json",
        headers={"Idempotency-Key": "k"} if keyed else {},
    )
    assert len(data(answer)["results"]) == 100


# --- the folding itself -------------------------------------------------------------------------


def reference(text: str) -> str:
    """Compatibility caseless matching (The Unicode Standard, D146), of whole texts."""
    text = IGNORABLE.sub("", text)
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text.casefold()))


@pytest.mark.proves("AUTH-1")
def test_every_character_folds_as_unicode_says() -> None:
    assert [each for each in CHARACTERS if nfkc_casefold(each) != reference(each)] == []


@pytest.mark.proves("AUTH-1")
@given(st.text(TROUBLE, max_size=12) | st.text(max_size=12))
def test_texts_fold_as_unicode_says(text: str) -> None:
    assert nfkc_casefold(text) == reference(text)


@pytest.mark.proves("TASK-16")
@given(st.text(TROUBLE, max_size=LONGEST_RUN))
def test_a_search_folds_texts_as_unicode_says_but_for_two_marks(text: str) -> None:
    special = {"\u0307", *dict(VOICED)}  # İ, and marks that Unicode does not sort at first
    if special.isdisjoint(unicodedata.normalize("NFD", text)):
        assert fold(text) == reference(text)


@pytest.mark.proves("TASK-16")
def test_every_mark_is_counted_in_a_run() -> None:
    marks = [each for each in CHARACTERS if _is_mark(each)]
    assert set(REVERSED) < set(marks)
    for mark in marks:
        in_line = dict(VOICED).get(mark, mark)
        assert UNSPACED.fullmatch(in_line * (LONGEST_RUN + 1)), ascii(mark)
    starting = [
        each
        for each in set(CHARACTERS) - set(marks)
        if unicodedata.combining(unicodedata.normalize("NFKD", each)[0])
    ]
    assert starting == []


@pytest.mark.proves("TASK-16")
@given(st.text(TROUBLE, max_size=200))
def test_no_folded_text_has_a_long_run_of_marks(text: str) -> None:
    longest = run = 0
    for each in unicodedata.normalize("NFKD", fold("e" + text * 10)):
        run = run + 1 if unicodedata.combining(each) else 0
        longest = max(longest, run)
    assert longest <= 2 * LONGEST_RUN + 4  # of marks that are two, behind a letter with its own

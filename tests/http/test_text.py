"""Unicode in every text field: kept to the character or refused, and never a 500."""

import json
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_from_bytes

import psycopg
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_user import PASSWORD, ApiUser, broken_fields, data, error

FACE, ACCENT = "\U0001f600", "\u0301"
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f466"

# Texts that every text field has to keep.
KEPT = {
    "emoji": FACE * 255,
    "joined emoji": FAMILY * 50,
    "combining marks": ACCENT * 255,
    "a letter under many marks": "e" + ACCENT * 200,
    "Hebrew": "שלום עולם",
    "Arabic with marks": "مَرْحَبًا",
    "overrides of direction": "\u202eabc\u202c\u2066def\u2069",
    "quotes": "'\"`’”'' \"\" $$ E'\\''",
    "wildcards": "% %% _ %s %(owner_id)s {0} ${x}",
    "backslashes": "\\ \\\\ \\n \\u0000 \\x00 \\ud800",
    "SQL": "'; DROP TABLE tasks; -- /* */",
    "HTML": "<script>alert(1)</script>&amp;<!--",
    "formulas": "=1+1 @x +y -z",
    "control characters": "a\x01\x07\x08\x1b[31m\x7f\x80\x9f b",
    "line separators": "a\u2028b\u2029c\x85d\r\ne\nf",
    "noncharacters": "\ufffe\uffff\U0001fffe\U0010ffff\ufdd0",
    "private use": "\ue000\U000f0000",
    "replacement": "\ufffd",
    "zero width": "a\u200b\u200c\u200d\ufeff\u2060b",
    "not normalised": unicodedata.normalize("NFD", "Ä한글") + "Å\u212b",
    "JSON": '{"a": [null]}',
}
# NUL and lone surrogates as JSON escapes.
UNSTORABLE = {
    "NUL": r"\u0000",
    "NUL in text": r"a\u0000b",
    "a high surrogate": r"\ud800",
    "a low surrogate": r"\udc00",
    "surrogates the wrong way round": r"\ude00\ud83d",
    "half an emoji behind a whole one": r"\ud83d\ude00\ud83d",
}
RAW_SURROGATES = [
    b"\xed\xa0\x80",
    b"\xed\xb0\x80",
    b"\xed\xa0\xbd\xed\xb8\x80",
    b"\xff",
    b"\xc0\x80",
]


def stored(database_url: str) -> tuple[int, int]:
    """The numbers of users and of tasks in the database."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM tasks)"
        ).fetchone()
    assert row is not None
    return row


# --- titles and descriptions --------------------------------------------------------------------


@pytest.mark.proves("API-18")
@pytest.mark.parametrize("case", KEPT)
def test_a_task_keeps_its_text_to_the_character(alice: ApiUser, case: str) -> None:
    text = KEPT[case]
    task = alice.create(text, text * 10)
    assert (task["title"], task["description"]) == (text.strip(), text * 10)
    assert data(alice.get(f"/{task['id']}")) == task
    assert data(alice.get()) == [task]
    other = alice.create()
    changed = data(alice.put(f"/{other['id']}", json={"title": text, "description": text}))
    assert (changed["title"], changed["description"]) == (text.strip(), text)
    history = data(alice.get(f"/{other['id']}/history"))
    assert history[0]["item"] == changed
    assert [entry["item"] for entry in data(alice.changes())] == [task, changed]
    assert alice.export().get_json()["tasks"] == [task, changed]


@pytest.mark.proves("TASK-13")
@pytest.mark.parametrize("case", KEPT)
def test_a_search_accepts_any_text(alice: ApiUser, case: str) -> None:
    task = alice.create("other", KEPT[case])
    words = KEPT[case][:200]
    assert data(alice.get(query_string={"q": words})) == [task]


@pytest.mark.proves("API-18")
@pytest.mark.parametrize("field", ["title", "description"])
@pytest.mark.parametrize("case", UNSTORABLE)
def test_a_task_refuses_text_that_cannot_be_stored(
    alice: ApiUser, database_url: str, field: str, case: str
) -> None:
    task = alice.create()
    body = '{"title": "a", "%s": "%s"}' % (field, UNSTORABLE[case])  # noqa: UP031 - braces
    body = body if field == "description" else '{"title": "' + UNSTORABLE[case] + '"}'
    options: dict[str, Any] = {"data": body, "content_type": "application/json"}
    assert broken_fields(alice.post(**options)) == [field]
    assert broken_fields(alice.patch(f"/{task['id']}", **options)) == [field]
    assert stored(database_url) == (1, 1)
    assert data(alice.get(f"/{task['id']}")) == task


@pytest.mark.proves("API-10")
@pytest.mark.parametrize("raw", RAW_SURROGATES)
def test_bytes_other_than_utf_8_are_refused_in_every_field(
    client: FlaskClient, alice: ApiUser, database_url: str, raw: bytes
) -> None:
    for path, fields in {
        "/api/me/tasks": ("title", "description"),
        "/api/auth/register": ("email", "password"),
        "/api/auth/login": ("email", "password"),
        "/api/auth/refresh": ("refresh_token",),
    }.items():
        for field in fields:
            body = b'{"' + field.encode() + b'": "' + raw + b'"}'
            answer = alice.call("POST", path, data=body, content_type="application/json")
            assert error(answer) == (400, "BAD_REQUEST")
    for name in ("q", "cursor", "sort"):
        answer = alice.get(f"?{name}={quote_from_bytes(raw)}")
        assert error(answer) == (400, "BAD_REQUEST")
    assert client.get("/livez").status_code == 200
    assert stored(database_url) == (1, 0)


@pytest.mark.proves("TASK-2")
@pytest.mark.parametrize("letter", [FACE, ACCENT, "a", "%", "\\", '"', "\u202e", "\x01"])
@pytest.mark.parametrize(("field", "limit"), [("title", 255), ("description", 5000)])
def test_text_of_the_longest_length_is_kept_and_longer_text_refused(
    alice: ApiUser, letter: str, field: str, limit: int
) -> None:
    longest = {"title": "a", field: letter * limit}
    task = data(alice.post(json=longest))
    assert data(alice.get(f"/{task['id']}"))[field] == letter * limit
    more = {"title": "a", field: letter * (limit + 1)}
    assert broken_fields(alice.post(json=more)) == [field]
    assert broken_fields(alice.patch(f"/{task['id']}", json=more)) == [field]
    assert data(alice.get()) == [task]


# --- accounts -----------------------------------------------------------------------------------


def sign_up(client: FlaskClient, **fields: Any) -> TestResponse:
    return client.post("/api/auth/register", json={"password": PASSWORD, **fields})


@pytest.mark.parametrize("case", KEPT)
def test_a_password_of_any_text_opens_its_account(client: FlaskClient, case: str) -> None:
    password = KEPT[case][:256].ljust(8, "!")
    credentials = {"email": "c@example.com", "password": password}
    assert client.post("/api/auth/register", json=credentials).status_code == 201
    assert client.post("/api/auth/login", json=credentials).status_code == 200
    wrong = {**credentials, "password": password + "!"}
    assert error(client.post("/api/auth/login", json=wrong)) == (401, "INVALID_CREDENTIALS")


@pytest.mark.parametrize("letter", [FACE, ACCENT, "%", "\\"])
def test_a_password_has_8_to_256_characters_and_each_counts(
    client: FlaskClient, letter: str
) -> None:
    for length in (7, 257):
        answer = sign_up(client, email="c@example.com", password=letter * length)
        assert broken_fields(answer) == ["password"]
    longest = "a" + letter * 254 + "b"
    assert sign_up(client, email="c@example.com", password=longest).status_code == 201
    for wrong in (longest[:-1], longest[:-1] + "c", longest + "b"):
        answer = client.post("/api/auth/login", json={"email": "c@example.com", "password": wrong})
        assert error(answer) == (401, "INVALID_CREDENTIALS")


@pytest.mark.proves("API-18")
@pytest.mark.parametrize("field", ["email", "password"])
@pytest.mark.parametrize("case", UNSTORABLE)
def test_an_account_refuses_text_that_cannot_be_stored(
    client: FlaskClient, database_url: str, field: str, case: str
) -> None:
    fields = {"email": '"c@example.com"', "password": json.dumps(PASSWORD)}
    fields[field] = f'"{UNSTORABLE[case]}@example.com"'
    body = f'{{"email": {fields["email"]}, "password": {fields["password"]}}}'
    options: dict[str, Any] = {"data": body, "content_type": "application/json"}
    assert broken_fields(client.post("/api/auth/register", **options)) == [field]
    assert client.post("/api/auth/login", **options).status_code in (401, 422)
    assert stored(database_url) == (0, 0)


@pytest.mark.parametrize("case", KEPT)
def test_log_in_and_registration_accept_or_refuse_any_text(
    client: FlaskClient, database_url: str, case: str
) -> None:
    for email in (KEPT[case], f"{KEPT[case]}@example.com", f"c@{KEPT[case]}.com"):
        answer = sign_up(client, email=email)
        login = client.post("/api/auth/login", json={"email": email, "password": PASSWORD})
        if answer.status_code == 201:
            assert data(login)["user"] == data(answer)
        else:
            assert broken_fields(answer) == ["email"]
            assert login.status_code in (401, 422)
    assert stored(database_url)[1] == 0


@pytest.mark.parametrize("letter", [FACE, ACCENT, "a", "א"])
def test_an_e_mail_has_at_most_254_characters(client: FlaskClient, letter: str) -> None:
    domain = "." + ".".join(["d" * 60] * 3) + ".com"
    for length in (255, 256, 5000, 5001):
        email = "c@" + (letter * length)[: length - len(domain) - 2] + domain
        assert broken_fields(sign_up(client, email=email)) == ["email"]


def test_a_malformed_refresh_token_is_refused(client: FlaskClient) -> None:
    texts = [json.dumps(text) for text in KEPT.values()] + [f'"{t}"' for t in UNSTORABLE.values()]
    for path, statuses in {"/api/auth/refresh": (401, 422), "/api/auth/logout": (200, 422)}.items():
        for text in texts:
            body = f'{{"refresh_token": {text}}}'
            answer = client.post(path, data=body, content_type="application/json")
            assert answer.status_code in statuses, text


# --- headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "agent",
    ["a" * 5000, "\xff\xfe", "é", FACE.encode().decode("latin-1"), "'; --", "\x7f", ""],
    ids=ascii,
)  # fmt: skip
def test_a_log_in_accepts_any_user_agent(alice: ApiUser, agent: str) -> None:
    answer = alice.client.post(
        "/api/auth/login",
        json={"email": alice.email, "password": PASSWORD},
        headers={"User-Agent": agent},
    )
    assert answer.status_code == 200


@pytest.mark.proves("AUTH-30")
@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("Müllers Telefon".encode(), "Müllers Telefon"),
        (FACE.encode() * 600, FACE * 512),
        ("Müllers Telefon".encode("latin-1"), "Müllers Telefon"),
        (b"\xff\xfe", "\xff\xfe"),
    ],
)
def test_a_user_agent_is_read_as_utf_8_and_else_as_latin_1(
    alice: ApiUser, agent: bytes, shown: str
) -> None:
    answer = alice.client.post(
        "/api/auth/login",
        json={"email": alice.email, "password": PASSWORD},
        headers={"User-Agent": agent.decode("latin-1")},
    )
    assert answer.status_code == 200
    assert data(alice.call("GET", "/api/auth/sessions"))[0]["user_agent"] == shown


@pytest.mark.parametrize("key", ["a", "~" * 255, "'; --", "%s", "\\", '"', " ", "{}"])
def test_a_printable_idempotency_key_is_accepted(alice: ApiUser, key: str) -> None:
    for replayed in (None, "true"):
        answer = alice.post(json={"title": "a"}, headers={"Idempotency-Key": key})
        assert answer.status_code == 201
        assert answer.headers.get("Idempotent-Replayed") == replayed
    assert len(data(alice.get())) == 1


@pytest.mark.parametrize("key", ["", "a" * 256, "\x00", "\t", "é", "\x7f", "a\x1fb"])
def test_any_other_idempotency_key_is_refused(alice: ApiUser, key: str) -> None:
    answer = alice.post(json={"title": "a"}, headers={"Idempotency-Key": key})
    assert broken_fields(answer) == ["Idempotency-Key"]
    assert data(alice.get()) == []


@pytest.mark.parametrize(
    "name", ["Authorization", "If-Match", "If-None-Match", "Accept", "Cookie", "Host", "Range",
             "X-Forwarded-For", "Content-Type", "Origin", "X-Request-Id", "Accept-Language"],
)  # fmt: skip
def test_a_read_accepts_or_refuses_any_header_value(alice: ApiUser, name: str) -> None:
    for value in ("", "\xff", '"\xe9"', "'; --", "%00", "a" * 4000, ",", '"'):
        answer = alice.get(headers={name: value})
        assert answer.status_code in (200, 304, 400, 401), value


# --- too large ----------------------------------------------------------------------------------


@pytest.mark.proves("API-12")
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/me/tasks", "title"),
        ("/api/me/tasks", "description"),
        ("/api/auth/register", "email"),
        ("/api/auth/register", "password"),
        ("/api/auth/login", "email"),
        ("/api/auth/login", "password"),
        ("/api/auth/refresh", "refresh_token"),
        ("/api/auth/logout", "refresh_token"),
    ],
)
@pytest.mark.parametrize("fill", [lambda size: "a" * size, lambda size: FACE * (size // 4) + "abc"])
def test_a_body_over_64_kib_is_a_413_for_any_field(
    alice: ApiUser, database_url: str, path: str, field: str, fill: Callable[[int], str]
) -> None:
    text = fill(64 * 1024)
    body = ('{"' + field + '": "' + text + '"}').encode()
    assert len(body) > 64 * 1024
    answer = alice.call("POST", path, data=body, content_type="application/json")
    assert error(answer) == (413, "PAYLOAD_TOO_LARGE")
    assert stored(database_url) == (1, 0)

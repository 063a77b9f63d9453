"""Requests and responses of any endpoint: bodies, queries, envelopes, the order of checks."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app, db
from app.config import Config
from app.ratelimit.limits import RateLimits
from app.ratelimit.shared_counters import SharedCounters
from tests.support.api_user import ApiUser, broken_fields, data, error, register

BODY_LIMIT = 64 * 1024
JSON = "application/json"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def send(user: ApiUser, body: bytes, content_type: str = JSON, **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return user.post(data=body, content_type=content_type, headers=named)


def count(user: ApiUser) -> int:
    return len(data(user.get()))


# --- bodies -------------------------------------------------------------------------------------

NOT_JSON = {
    "empty": b"",
    "only white space": b"  \n",
    "cut off": b'{"title": "a',
    "cut off in a character": b'{"title": "a\xc3',
    "two texts": b'{"title": "a"} {"title": "b"}',
    "a trailing comma": b'{"title": "a",}',
    "single quotes": b"{'title': 'a'}",
    "a comment": b'{"title": "a" /* b */}',
    "NaN": b'{"title": NaN}',
    "Infinity": b'{"title": "a", "description": Infinity}',
    "-Infinity": b'{"title": -Infinity}',
    "a line break in a string": b'{"title": "a\nb"}',
    "NUL in a string": b'{"title": "a\x00b"}',
    "NUL behind the text": b'{"title": "a"}\x00',
    "an unknown escape": b'{"title": "\\x41"}',
    "a leading zero": b'{"title": 01}',
    "a byte order mark": b'\xef\xbb\xbf{"title": "a"}',
    "UTF-16": '{"title": "a"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"title": "a"}'.encode("utf-16-le"),
    "UTF-32": '{"title": "a"}'.encode("utf-32-be"),
    "Latin-1": '{"title": "é"}'.encode("latin-1"),
    "a raw surrogate": b'{"title": "\xed\xa0\x80"}',
    "an overlong character": b'{"title": "\xc0\xaf"}',
    "the same key twice": b'{"title": "a", "title": "b"}',
    "the same key twice, once escaped": b'{"title": "a", "\\u0074itle": "b"}',
    "the same key twice further down": b'{"title": "a", "x": [{"y": 1, "y": 2}]}',
    "33 levels": b'{"x": ' + b"[" * 32 + b"]" * 32 + b"}",
    "6,000 levels": b"[" * 6000 + b"]" * 6000,
    "6,000 levels of objects": b'{"a":' * 6000 + b"1" + b"}" * 6000,
    "30,000 levels, not closed": b"[" * 30_000,
}


@pytest.mark.proves("API-10")
@pytest.mark.parametrize("case", NOT_JSON)
def test_anything_but_strict_json_is_a_bad_request(alice: ApiUser, case: str) -> None:
    assert error(send(alice, NOT_JSON[case])) == (400, "BAD_REQUEST")
    assert count(alice) == 0


@pytest.mark.parametrize("body", [b"[]", b'"title"', b"1", b"true", b"null", b'["title"]'])
def test_json_other_than_an_object_is_a_broken_body(alice: ApiUser, body: bytes) -> None:
    assert broken_fields(send(alice, body)) == [""]


@pytest.mark.proves("API-10")
def test_json_of_32_levels_is_accepted(alice: ApiUser) -> None:
    body = b'{"title": "a", "x": ' + b"[" * 31 + b"]" * 31 + b"}"
    assert broken_fields(send(alice, body)) == ["x"]


@pytest.mark.proves("API-10")
@pytest.mark.parametrize("text", [b'\\"' * 32_000, b'"' * 65_000, b"\\" * 65_000, b"a\\" * 32_000])
def test_an_unterminated_string_is_refused_in_linear_time(alice: ApiUser, text: bytes) -> None:
    began = time.monotonic()
    assert error(send(alice, b"[" * 33 + b'"' + text)) == (400, "BAD_REQUEST")
    assert time.monotonic() - began < 2


@pytest.mark.proves("API-10")
def test_brackets_in_strings_do_not_count_as_levels(alice: ApiUser) -> None:
    title = '["{' * 80 + '\\"'
    assert data(send(alice, json.dumps({"title": title}).encode()))["title"] == title


@pytest.mark.proves("API-13")
@pytest.mark.parametrize("number", ["9" * 5000, "1e400", "-0", "1.5", "-" + "9" * 30])
def test_a_number_of_any_size_is_a_broken_field(alice: ApiUser, number: str) -> None:
    answer = send(alice, b'{"title": %b}' % number.encode())
    assert broken_fields(answer) == ["title"]


@pytest.mark.proves("API-14")
@pytest.mark.parametrize(
    "name", ['"\\ud800"', '"\\u0000"', '""', '"a.b[0]"', '"\\u202e"', '"' + "é" * 5000 + '"']
)
def test_an_unknown_field_may_have_any_name(alice: ApiUser, name: str) -> None:
    answer = send(alice, b'{"title": "a", %b: 1}' % name.encode())
    assert len(broken_fields(answer)) == 1
    assert count(alice) == 0


@pytest.mark.proves("API-2")
def test_every_broken_field_is_named(alice: ApiUser) -> None:
    answer = alice.post(json={"title": "", "description": 1, "is_completed": True, "x": None})
    assert sorted(broken_fields(answer)) == ["description", "is_completed", "title", "x"]
    assert broken_fields(alice.post(json={})) == ["title"]


@pytest.mark.proves("API-12")
def test_a_body_of_64_kib_is_accepted(alice: ApiUser) -> None:
    body = b'{"title": "a"}'
    assert send(alice, body + b" " * (BODY_LIMIT - len(body))).status_code == 201


@pytest.mark.proves("API-12")
def test_a_body_of_one_byte_more_is_too_large(alice: ApiUser) -> None:
    body = b'{"title": "a"}'
    answer = send(alice, body + b" " * (BODY_LIMIT + 1 - len(body)))
    assert error(answer) == (413, "PAYLOAD_TOO_LARGE")
    assert count(alice) == 0


@pytest.mark.proves("API-11")
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8",
     'application/json;charset="UTF-8"', "application/json; x=y"],
)  # fmt: skip
def test_json_content_types_are_accepted(alice: ApiUser, content_type: str) -> None:
    assert send(alice, b'{"title": "a"}', content_type).status_code == 201


@pytest.mark.proves("API-11")
@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/merge-patch+json", "application/json; charset=utf-16", "application",
     "application/json, text/plain", "application/jsonp"],
)  # fmt: skip
def test_other_content_types_are_a_415(alice: ApiUser, content_type: str) -> None:
    answer = send(alice, b'{"title": "a"}', content_type)
    assert error(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.proves("API-11")
@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "x"])
def test_a_content_encoding_is_a_415(alice: ApiUser, coding: str) -> None:
    answer = send(alice, b'{"title": "a"}', Content_Encoding=coding)
    assert error(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_an_optional_body_may_be_absent_but_not_malformed(alice: ApiUser) -> None:
    path = f"/{alice.create()['id']}/complete"
    assert data(alice.patch(path))["is_completed"] is True
    assert error(alice.patch(path, data=b"{}", content_type="text/plain"))[0] == 415
    assert error(alice.patch(path, data=b"{", content_type=JSON))[0] == 400
    assert broken_fields(alice.patch(path, data=b"{}", content_type=JSON)) == ["is_completed"]
    assert broken_fields(alice.patch(path, data=b"null", content_type=JSON)) == [""]


# --- queries ------------------------------------------------------------------------------------


@pytest.mark.proves("API-14")
@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("x=1", ["x"]),
        ("x", ["x"]),
        ("limit=1&limit=2", ["limit"]),
        ("limit=1&limit=1", ["limit"]),
        ("limit=0&sort=x&is_completed=1&q=&y=2&z=3&z=4",
         ["is_completed", "limit", "q", "sort", "y", "z"]),
        ("LIMIT=1", ["LIMIT"]),
        ("%00=1", ["\x00"]),
    ],
)  # fmt: skip
def test_unknown_and_repeated_parameters_are_named(
    alice: ApiUser, query: str, fields: list[str]
) -> None:
    assert sorted(set(broken_fields(alice.get(f"?{query}")))) == fields


@pytest.mark.proves("API-13", "TASK-10")
@pytest.mark.parametrize(
    "limit", ["0", "201", "-1", "+1", "1.0", "1e1", " 1", "", "٣", "1_0", "0x1", "9" * 5000]
)
def test_a_limit_is_1_to_200_in_ascii_digits(alice: ApiUser, limit: str) -> None:
    answer = alice.get(query_string={"limit": limit})
    assert broken_fields(answer) == ["limit"]


@pytest.mark.proves("API-13")
@pytest.mark.parametrize("flag", ["True", "TRUE", "1", "yes", "on", "", " true"])
def test_a_flag_is_true_or_false(alice: ApiUser, flag: str) -> None:
    assert broken_fields(alice.get(query_string={"is_completed": flag})) == ["is_completed"]


@pytest.mark.parametrize("query", ["q=%ff", "q=%ED%A0%80", "%ff=1", "q=%C0%AF", "q=a%E2%82"])
def test_a_query_that_is_not_utf_8_is_a_bad_request(alice: ApiUser, query: str) -> None:
    assert error(alice.get(f"?{query}")) == (400, "BAD_REQUEST")


@pytest.mark.proves("API-14")
@pytest.mark.parametrize("path", ["/api/auth/me", f"/api/me/tasks/{UNKNOWN_ID}"])
def test_a_route_without_parameters_refuses_every_parameter(alice: ApiUser, path: str) -> None:
    assert broken_fields(alice.call("GET", f"{path}?x=1")) == ["x"]


@pytest.mark.proves("API-2")
def test_parameters_and_fields_are_named_together(alice: ApiUser) -> None:
    answer = alice.post("?x=1", json={"y": 1})
    assert sorted(broken_fields(answer)) == ["title", "x", "y"]


# --- responses ----------------------------------------------------------------------------------


@pytest.mark.proves("API-1")
def test_success_has_the_envelope(alice: ApiUser) -> None:
    body = alice.post(json={"title": "a"}).get_json()
    assert list(body) == ["success", "data", "error"]
    assert (body["success"], body["error"]) == (True, None)


@pytest.mark.proves("API-5")
@pytest.mark.parametrize("given", ["a", "A.b_c-1", "x" * 64])
def test_a_well_formed_request_id_is_adopted(client: FlaskClient, given: str) -> None:
    for path in ("/livez", "/nowhere"):
        assert client.get(path, headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.proves("API-5")
@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "ä", 'a"', "a,b", "<script>"])
def test_any_other_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    made = client.get("/livez", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", made)
    assert made != given


@pytest.mark.proves("API-7")
@pytest.mark.parametrize(
    ("path", "cache_control"),
    [
        ("/api/auth/me", "no-store"),
        ("/api/me/tasks", "private, no-cache, no-transform"),
        ("/api/nowhere", "private, no-cache, no-transform"),
    ],
)
def test_shared_caches_must_not_store_private_responses(
    alice: ApiUser, path: str, cache_control: str
) -> None:
    assert alice.call("GET", path).headers["Cache-Control"] == cache_control


READABLE = ["/", "/livez", "/readyz", "/api/auth/me", "/api/me/tasks", "/api/me/tasks/trash"]


@pytest.mark.proves("API-15")
@pytest.mark.parametrize("path", READABLE)
def test_head_works_wherever_get_does(alice: ApiUser, path: str) -> None:
    sent = {"X-Request-Id": uuid4().hex}
    head, get = (alice.call(method, path, headers=sent) for method in ("HEAD", "GET"))
    assert head.data == b""
    assert (head.status, head.headers) == (get.status, get.headers)


@pytest.mark.proves("API-15")
def test_options_lists_the_methods_without_a_token(client: FlaskClient) -> None:
    for path, methods in {
        "/api/me/tasks": {"GET", "HEAD", "OPTIONS", "POST"},
        f"/api/{UNKNOWN_ID}/tasks/{UNKNOWN_ID}": {
            "DELETE",
            "GET",
            "HEAD",
            "OPTIONS",
            "PATCH",
            "PUT",
        },
        "/api/auth/login": {"OPTIONS", "POST"},
        "/livez": {"GET", "HEAD", "OPTIONS"},
    }.items():
        answer = client.options(path)
        assert (answer.status_code, data(answer)) == (200, None)
        assert set(answer.headers["Allow"].split(", ")) == methods
    assert error(client.options("/nowhere")) == (404, "NOT_FOUND")


@pytest.mark.proves("API-1")
@pytest.mark.parametrize(
    "path", ["/nowhere", "/api", "/api/", "/api/me/tasks/", "/livez/", "/api/%00/tasks/",
             "/api/me/tasks/a/b", "/%ff", "/.", "/static/x"],
)  # fmt: skip
def test_an_unknown_path_is_not_found(client: FlaskClient, path: str) -> None:
    assert error(client.get(path)) == (404, "NOT_FOUND")


@pytest.mark.proves("API-15")
def test_a_405_lists_the_allowed_methods(
    client: FlaskClient,
) -> None:
    for method in ("PUT", "TRACE", "QUERY"):
        answer = client.open("/livez", method=method)
        assert error(answer) == (405, "METHOD_NOT_ALLOWED")
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


# --- several faults -----------------------------------------------------------------------------
# Of each fault and any later one, the first is reported.

BIG = b'{"title": ' + b" " * BODY_LIMIT
FAULTS: dict[str, tuple[int, Callable[[dict[str, Any]], None]]] = {
    "no such route": (404, lambda call: call.update(path=call["path"].replace("tasks", "t"))),
    "no such method": (405, lambda call: call.update(method="POST")),
    "no token": (401, lambda call: call["headers"].pop("Authorization")),
    "a forged token": (401, lambda call: call["headers"].update(Authorization="Bearer a.b.c")),
    "another user": (403, lambda call: call.update(path=call["path"].replace("me", UNKNOWN_ID))),
    "too large": (413, lambda call: call.update(data=BIG)),
    "another content type": (
        415,
        lambda call: call["headers"].update({"Content-Type": "text/plain"}),
    ),
    "malformed JSON": (400, lambda call: call.update(data=b'{"title":')),
    "a broken field": (422, lambda call: call.update(data=b'{"title": ""}')),
    "an unknown parameter": (422, lambda call: call.update(path=call["path"] + "?x=1")),
    "a bad key": (422, lambda call: call["headers"].update({"Idempotency-Key": "\xff"})),
    "no such task": (404, lambda call: call.update(path=call["path"].replace("TASK", UNKNOWN_ID))),
    "a malformed id": (404, lambda call: call.update(path=call["path"].replace("TASK", "1"))),
    "stale": (412, lambda call: call["headers"].update({"If-Match": '"0"'})),
}
NAMES = list(FAULTS)


def faulty(user: ApiUser, task_id: str, *faults: str) -> TestResponse:
    """Sends a change to the task with these faults and no other."""
    call: dict[str, Any] = {
        "path": "/api/me/tasks/TASK",
        "method": "PATCH",
        "data": b'{"title": "b"}',
        "headers": {**user.authorization, "Content-Type": JSON},
    }
    for name in sorted(set(faults), key=NAMES.index, reverse=True):
        FAULTS[name][1](call)
    call["path"] = call["path"].replace("TASK", task_id)
    return user.client.open(**call)


@pytest.mark.proves("API-3")
@pytest.mark.parametrize("first", NAMES)
def test_of_several_faults_the_first_is_reported(alice: ApiUser, first: str) -> None:
    task = alice.create()
    for second in NAMES[NAMES.index(first) :]:
        answer = faulty(alice, task["id"], first, second)
        assert error(answer)[0] == FAULTS[first][0], f"{first}, then {second}"
    assert data(alice.get(f"/{task['id']}")) == task


@pytest.fixture
def limited(config: Config) -> Iterator[ApiUser]:
    """A user with three requests a day."""
    application = create_app(replace(config, rate_limit="3/day"))
    application.extensions["rate_limits"] = RateLimits("3/day", SharedCounters())
    yield register(application.test_client())
    db.close_pool()


@pytest.mark.proves("API-3")
def test_the_rate_limit_is_checked_before_the_rest_of_a_request(limited: ApiUser) -> None:
    task_id = limited.create()["id"]
    while limited.get().status_code == 200:
        pass
    for number, (name, (status, _)) in enumerate(FAULTS.items()):
        limited.client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"  # each has a quota
        is_before = NAMES.index(name) <= NAMES.index("another user")
        answer = faulty(limited, task_id, name)
        assert error(answer)[0] == (status if is_before else 429), name


@pytest.mark.proves("API-3")
def test_a_malformed_cursor_is_reported_before_other_parameters(alice: ApiUser) -> None:
    for query in ("cursor=x", "cursor=x&limit=0", "cursor=x&y=1", "cursor=x&limit=1&limit=1"):
        assert error(alice.get(f"?{query}")) == (400, "BAD_REQUEST")

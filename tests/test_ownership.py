"""No route gives access to, or information about, another user's resources."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.kinds import KINDS as KINDS_OF_ITEMS
from app.search.repository import SORTS
from tests.support.api_user import PASSWORD, ApiUser, data, error
from tests.support.feeds import make_feed
from tests.support.imports import imported
from tests.support.items import KINDS, Items
from tests.support.planning import make, make_task

NOBODY = "00000000-0000-4000-8000-000000000000"
BODIES: dict[str, Any] = {
    "tasks.create_task": {"title": "theirs"},
    "tasks.update_task": {"title": "theirs", "description": None, "is_completed": True},
    "tasks.move_task": {"after": None, "list_id": None, "parent_id": None},
    "tasks.skip_task": {"occurrence": "2026-10-07"},
    "lists.create_list": {"title": "theirs"},
    "lists.update_list": {"title": "theirs", "description": None, "color": "#aabbcc"},
    "lists.move_list": {"after": None},
    "labels.create_label": {"name": "theirs"},
    "labels.update_label": {"name": "theirs", "color": None},
    "labels.move_label": {"before": None},
    "filters.create_filter": {"title": "theirs", "query": "overdue"},
    "filters.update_filter": {"title": "theirs", "query": "overdue", "sort": "title"},
    "filters.move_filter": {"after": None},
    "webhooks.create_webhook": {"url": "https://1.1.1.1/"},
    "webhooks.update_webhook": {"enabled": True},
    "webhooks.replay_events": {"since": 0},
    "feeds.create_feed": {"as": "event"},
    "imports.create_import": {"tasks": [{"title": "theirs"}]},
    "kinds.apply_batch": {"operations": [{"op": "create", "title": "theirs"}]},
}
SERIES = {"due": "2026-10-07", "recurrence": "FREQ=DAILY"}
WITHOUT_BODY = {
    *(f"{kind}s.restore_{kind}" for kind in KINDS),
    "tasks.complete_task",
    "lists.archive_list",
    "lists.unarchive_list",
    "webhooks.rotate_secret",
}
TABLES = (
    "users", "tasks", "lists", "labels", "filters", "ledger_entries", "ledgers", "idempotency_keys",
    "webhooks", "feeds", "completions", "imports", "import_rows", "import_refs",
)  # fmt: skip
STATES = ("kept", "in the trash")
OPERATIONS: dict[str, list[dict[str, Any]]] = {
    "task": [
        {"op": "update", "title": "theirs"},
        {"op": "complete"},
        {"op": "skip", "occurrence": "2026-10-07"},
    ],
    "list": [{"op": "update", "title": "theirs"}, {"op": "archive"}, {"op": "unarchive"}],
    "label": [{"op": "update", "name": "theirs"}],
    "filter": [{"op": "update", "title": "theirs"}],
}
FOR_ALL: list[dict[str, Any]] = [{"op": "move", "after": None}, {"op": "delete"}, {"op": "restore"}]


def rules(app: Flask, argument: str, *, least: int = 6) -> list[tuple[Rule, str]]:
    """Each method of each URL rule with that argument in its path."""
    found = [
        (rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"OPTIONS"})
        if argument in rule.arguments
    ]
    assert len(found) >= least
    return found


def send(user: ApiUser, rule: Rule, method: str, **arguments: str) -> TestResponse:
    path = address(user.client.application, rule, arguments)
    headers = {"X-Request-Id": "same"}
    body = BODIES.get(rule.endpoint) if method not in ("GET", "HEAD") else None
    return user.call(method, path, headers=headers, json=body)


def address(app: Flask, rule: Rule, arguments: Mapping[str, Any]) -> str:
    query: dict[str, Any] = {"source": "ownrow"} if rule.endpoint == "imports.create_import" else {}
    with app.test_request_context():
        return app.url_for(rule.endpoint, **arguments, **query)


def visible(answer: TestResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    """Everything that a client can see of a response."""
    return answer.status, list(answer.headers), answer.data


def rows(database_url: str) -> list[Any]:
    """All rows about items."""
    with psycopg.connect(database_url) as connection:
        return [
            connection.execute(f"SELECT to_jsonb(t) FROM {table} AS t ORDER BY 1").fetchall()
            for table in TABLES
        ]


@pytest.fixture
def theirs(bob: ApiUser) -> dict[str, dict[str, str]]:
    """The ids of Bob's items by their kind: one kept, one in the trash."""
    found = {}
    for kind in KINDS:
        items = Items(bob, kind)
        trashed = items.create("in the trash")["id"]
        items.delete(trashed)
        found[kind] = dict(zip(STATES, (items.create("private")["id"], trashed), strict=True))
    found["webhook"] = {"kept": make_webhook(bob)}
    found["feed"] = {"kept": make_feed(bob)["id"]}
    found["import"] = {"kept": make_import(bob)}
    return found


def make_webhook(user: ApiUser) -> str:
    """The id of a new webhook."""
    answer = user.call("POST", "/api/me/webhooks", json={"url": "https://1.1.1.1/"})
    return str(data(answer)["id"])


def make_import(user: ApiUser) -> str:
    """The id of an import that has ended."""
    return str(imported(user, "csv", "title\nprivate")["id"])


def item_arguments(rule: Rule, theirs: dict[str, dict[str, str]]) -> dict[str, str]:
    """The id of Bob's item for the argument of the rule that names one."""
    return {f"{k}_id": theirs[k]["kept"] for k in theirs if f"{k}_id" in rule.arguments}


def test_every_write_is_tried_with_a_body_that_it_accepts(app: Flask, alice: ApiUser) -> None:
    for rule, method in rules(app, "user_id"):
        if method not in ("POST", "PUT", "PATCH"):
            continue
        assert (rule.endpoint in BODIES) != (rule.endpoint in WITHOUT_BODY), rule
        items = Items(alice, rule.endpoint.partition("s.")[0])
        own = {}
        if "webhook_id" in rule.arguments:
            own["webhook_id"] = make_webhook(alice)
        elif "import_id" in rule.arguments:
            own["import_id"] = make_import(alice)
        elif f"{items.kind}_id" in rule.arguments:
            series = SERIES if ".skip_" in rule.endpoint else {}
            item_id = own[f"{items.kind}_id"] = items.create(**series)["id"]
            if ".restore_" in rule.endpoint:
                items.delete(item_id)
        answer = send(alice, rule, method, user_id="me", **own)
        assert answer.status_code in (200, 201, 202), f"{method} {rule}: {answer.text}"
        if items.kind == "label":  # the next one is to have the same name
            items.delete(data(answer)["id"])


@pytest.mark.proves("OWN-2")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_cannot_tell_a_foreign_item_from_a_missing_one(
    app: Flask,
    alice: ApiUser,
    bob: ApiUser,
    theirs: dict[str, dict[str, str]],
    database_url: str,
    kind: str,
    state: str,
) -> None:
    before = rows(database_url)
    argument = f"{kind}_id"
    for rule, method in rules(app, argument):
        foreign = send(alice, rule, method, user_id="me", **{argument: theirs[kind][state]})
        missing = send(alice, rule, method, user_id="me", **{argument: str(uuid4())})
        assert visible(foreign) == visible(missing), f"{method} {rule}"
        assert foreign.status_code == 404, f"{method} {rule}"
    assert rows(database_url) == before
    items = Items(bob, kind)
    assert items.read(theirs[kind]["kept"])[items.name] == "private"


@pytest.mark.proves("OWN-2", "HOOK-16", "FEED-5", "IMPORT-5")
@pytest.mark.parametrize("thing", ["webhook", "feed", "import"])
def test_a_stranger_cannot_tell_a_foreign_webhook_feed_or_import_from_a_missing_one(
    app: Flask, alice: ApiUser, theirs: dict[str, dict[str, str]], database_url: str, thing: str
) -> None:
    before, argument = rows(database_url), f"{thing}_id"
    for rule, method in rules(app, argument, least=1):
        foreign = send(alice, rule, method, user_id="me", **{argument: theirs[thing]["kept"]})
        missing = send(alice, rule, method, user_id="me", **{argument: str(uuid4())})
        assert visible(foreign) == visible(missing), f"{method} {rule}"
        assert foreign.status_code == 404, f"{method} {rule}"
    assert rows(database_url) == before


@pytest.mark.proves("OWN-2")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_operation_of_a_batch_tells_nothing_of_a_foreign_item(
    alice: ApiUser, theirs: dict[str, dict[str, str]], database_url: str, kind: str, state: str
) -> None:
    tried = [*FOR_ALL, *OPERATIONS[kind]]
    assert {each["op"] for each in tried} == KINDS_OF_ITEMS[kind].operations.keys() - {"create"}
    before = rows(database_url)
    for operation in tried:
        answers = [
            alice.batch(
                {"kind": kind, **operation, "id": item_id}, headers={"X-Request-Id": "same"}
            )
            for item_id in (theirs[kind][state], str(uuid4()))
        ]
        assert visible(answers[0]) == visible(answers[1]), operation
        assert answers[0].status_code == 404, operation
    assert rows(database_url) == before


@pytest.mark.proves("OWN-2")
@pytest.mark.parametrize("state", STATES)
def test_a_body_that_names_a_foreign_item_is_as_one_that_names_a_missing_one(
    alice: ApiUser, theirs: dict[str, dict[str, str]], database_url: str, state: str
) -> None:
    """As the list, parent, label or neighbour of an item of one's own."""
    own = {kind: Items(alice, kind).create() for kind in KINDS}
    task = f"/api/me/tasks/{own['task']['id']}"
    references: list[tuple[str, str, str, Any]] = [
        ("POST", "/api/me/tasks", "list", lambda i: {"title": "t", "list_id": i}),
        ("POST", "/api/me/tasks", "task", lambda i: {"title": "t", "parent_id": i}),
        ("POST", "/api/me/tasks", "label", lambda i: {"title": "t", "label_ids": [i]}),
        ("PATCH", task, "list", lambda i: {"list_id": i}),
        ("PATCH", task, "task", lambda i: {"parent_id": i}),
        ("PATCH", task, "label", lambda i: {"label_ids": [own["label"]["id"], i]}),
        ("POST", f"{task}/move", "list", lambda i: {"after": None, "list_id": i}),
        ("POST", f"{task}/move", "task", lambda i: {"before": None, "parent_id": i}),
        *(
            ("POST", f"/api/me/{kind}s/{own[kind]['id']}/move", kind, partial(neighbour, side))
            for kind in KINDS
            for side in ("after", "before")
        ),
    ]
    before = rows(database_url)
    for method, path, kind, body in references:
        answers = [
            alice.call(method, path, json=body(item_id), headers={"X-Request-Id": "same"})
            for item_id in (theirs[kind][state], str(uuid4()))
        ]
        assert visible(answers[0]) == visible(answers[1]), f"{method} {path} {body(kind)}"
        assert answers[0].status_code == 422, f"{method} {path} {body(kind)}"
    assert rows(database_url) == before


def neighbour(side: str, item_id: str) -> dict[str, str]:
    """The body of a move behind or before an item."""
    return {side: item_id}


@pytest.mark.proves("OWN-2", "OWN-3")
@pytest.mark.parametrize("state", STATES)
def test_a_search_for_a_foreign_list_parent_or_label_is_as_for_a_missing_one(
    alice: ApiUser, bob: ApiUser, theirs: dict[str, dict[str, str]], state: str
) -> None:
    make_task(alice, "mine")
    for field in ("list_id", "parent_id"):
        kept = theirs["list" if field == "list_id" else "task"]["kept"]
        make_task(bob, "within", **{field: kept})
    make_task(bob, "labelled", label_ids=[theirs["label"]["kept"]])
    for parameter, kind in (("list_id", "list"), ("parent_id", "task"), ("label", "label")):
        answers = [
            alice.get(f"?{parameter}={item_id}", headers={"X-Request-Id": "same"})
            for item_id in (theirs[kind][state], str(uuid4()))
        ]
        assert visible(answers[0]) == visible(answers[1]), parameter
        if parameter == "list_id":
            assert error(answers[0]) == (404, "NOT_FOUND")
        else:
            assert data(answers[0]) == [], parameter


@pytest.mark.proves("OWN-2", "OWN-3")
def test_a_filter_that_names_a_foreign_list_or_label_is_as_one_that_names_none(
    alice: ApiUser, bob: ApiUser
) -> None:
    make(bob, "lists", title="secret")
    make(bob, "labels", name="secret")
    for condition in ('list = "{}"', 'list != "{}"', 'label = "{}"', 'not has label "{}"'):
        known, unknown = (
            alice.get(
                query_string={"filter": condition.format(name)}, headers={"X-Request-Id": "same"}
            )
            for name in ("secret", "nobody")
        )
        assert error(known) == (422, "VALIDATION_FAILED"), condition
        assert known.text.replace("secret", "nobody") == unknown.text, condition


@pytest.mark.proves("OWN-1")
def test_another_users_path_is_403_whether_or_not_the_user_exists(
    app: Flask,
    alice: ApiUser,
    bob: ApiUser,
    theirs: dict[str, dict[str, str]],
    database_url: str,
) -> None:
    before = rows(database_url)
    for rule, method in rules(app, "user_id"):
        arguments = item_arguments(rule, theirs)
        existing = send(alice, rule, method, user_id=bob.id, **arguments)
        missing = send(alice, rule, method, user_id=NOBODY, **arguments)
        assert visible(existing) == visible(missing), f"{method} {rule}"
        assert existing.status_code == 403, f"{method} {rule}"
    assert rows(database_url) == before


@pytest.mark.proves("OWN-1")
def test_me_and_the_own_id_are_the_same_user(alice: ApiUser) -> None:
    task = alice.create()
    items = {kind: Items(alice, kind).create() for kind in KINDS if kind != "task"}
    for user in ("me", alice.id):
        for kind, item in {**items, "task": task}.items():
            assert data(alice.call("GET", f"/api/{user}/{kind}s")) == [item]
            assert data(alice.call("GET", f"/api/{user}/{kind}s/{item['id']}")) == item


@pytest.mark.proves("OWN-1")
@pytest.mark.parametrize("user", ["ME", "Me", "self", "0", "%00", "null", "*", "me%20", "..%2Fme"])
def test_no_other_alias_of_a_user_is_accepted(alice: ApiUser, user: str) -> None:
    for kind in KINDS:
        assert error(alice.call("GET", f"/api/{user}/{kind}s")) == (404, "NOT_FOUND")


def test_the_own_id_in_a_noncanonical_form_is_404(alice: ApiUser) -> None:
    for spelling in (alice.id.upper(), alice.id.replace("-", ""), f"{{{alice.id}}}"):
        if spelling != alice.id:
            for kind in KINDS:
                assert error(alice.call("GET", f"/api/{spelling}/{kind}s"))[0] == 404


@pytest.mark.proves("OWN-1")
def test_every_user_route_is_401_without_a_valid_token(
    app: Flask, alice: ApiUser, theirs: dict[str, dict[str, str]]
) -> None:
    for rule, method in rules(app, "user_id"):
        for token in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic YTpi"}):
            path = address(app, rule, {"user_id": alice.id, **item_arguments(rule, theirs)})
            answer = alice.client.open(path, method=method, headers=token)
            assert answer.status_code == 401, f"{method} {rule}"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert ("invalid_token" in answer.headers["WWW-Authenticate"]) == bool(token)


def test_a_token_is_accepted_in_the_authorization_header_only(alice: ApiUser) -> None:
    token = alice.access_token
    for where in (
        {"query_string": {"access_token": token}},
        {"headers": {"Cookie": f"access_token={token}"}},
        {"headers": {"X-Access-Token": token}},
        {"data": {"access_token": token}},
    ):
        assert error(alice.client.get("/api/me/tasks", **where)) == (401, "UNAUTHENTICATED")


@pytest.mark.proves("OWN-7")
@pytest.mark.parametrize("kind", KINDS)
def test_a_body_cannot_set_the_owner_of_an_item(alice: ApiUser, bob: ApiUser, kind: str) -> None:
    items = Items(alice, kind)
    item = items.create()
    for owner in ({"owner_id": bob.id}, {"user_id": bob.id}):
        assert error(items.call("POST", body=items.fields("x", **owner)))[0] == 422
        for method in ("PUT", "PATCH"):
            body = items.fields("x", **owner)
            assert error(items.call(method, f"/{item['id']}", body))[0] == 422
        moved = items.call("POST", f"/{item['id']}/move", {"after": None, **owner})
        assert error(moved)[0] == 422
        create = {"kind": kind, "op": "create", **items.fields("x", **owner)}
        assert error(alice.batch(create))[0] == 422
    assert items.listed() == [item]
    assert Items(bob, kind).listed() == []


@pytest.mark.proves("OWN-3")
def test_lists_searches_feeds_and_exports_contain_own_items_only(
    alice: ApiUser, bob: ApiUser
) -> None:
    users = (alice, bob)
    names = {"task": "shared words", "list": "Shared", "label": "shared", "filter": "Shared"}
    for user, own in [
        (user, {kind: Items(user, kind).create(names[kind]) for kind in KINDS}) for user in users
    ]:
        task = own["task"]
        for query in (
            "",
            "?q=shared",
            "?is_completed=false",
            "?list_id=none",
            "?filter=priority=0",
        ):
            assert data(user.get(query)) == [task]
        for sort in SORTS:
            assert data(user.get(f"?sort={sort}")) == [task]
        for kind in KINDS:
            assert data(user.call("GET", f"/api/me/{kind}s")) == [own[kind]]
            entries = data(user.changes(query=f"kind={kind}"))
            assert [entry["item"] for entry in entries] == [own[kind]]
        entries = data(user.changes())
        assert [entry["item"] for entry in entries] == [*own.values()]
        exported = {f"{kind}s": [own[kind]] for kind in KINDS}
        assert user.export().get_json() == {**exported, "completions": []}
    series = [make_task(user, due="2037-10-07", recurrence="FREQ=DAILY") for user in users]
    for user, task in zip(users, series, strict=True):
        done = {"is_completed": True, "occurrence": "2037-10-07"}
        data(user.patch(f"/{task['id']}/complete", json=done))
    for user, task in zip(users, series, strict=True):
        completions = user.export().get_json()["completions"]
        assert [each["task_id"] for each in completions] == [task["id"]]


def test_an_idempotency_key_of_another_user_replays_nothing(alice: ApiUser, bob: ApiUser) -> None:
    key = {"Idempotency-Key": "one"}
    mine = alice.post(json={"title": "a"}, headers=key)
    other = bob.post(json={"title": "a"}, headers=key)
    assert "Idempotent-Replayed" not in other.headers
    assert data(other)["owner_id"] == bob.id
    assert data(mine)["id"] != data(other)["id"]


@pytest.mark.proves("TASK-20")
def test_writes_of_one_user_do_not_change_the_version_of_another(
    alice: ApiUser, bob: ApiUser
) -> None:
    for _ in range(3):
        alice.create()
    assert bob.create()["version"] == 1
    assert bob.get(headers={"If-None-Match": '"1"'}).status_code == 304


@pytest.mark.proves("OWN-7")
def test_no_response_contains_a_password_hash(alice: ApiUser, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT password_hash FROM credentials").fetchone()
    assert row is not None
    me = alice.call("GET", "/api/auth/me")
    assert list(data(me)) == [
        "id", "email", "email_verified_at", "time_zone", "reminder_time", "mail",
        "has_second_factor", "created_at",
        "updated_at",
    ]  # fmt: skip
    body = {"email": alice.email, "password": PASSWORD}
    for answer in (
        me,
        alice.client.post("/api/auth/register", json=body),
        alice.client.post("/api/auth/login", json=body),
        alice.call("GET", "/api/auth/sessions"),
        alice.get(),
    ):
        assert row[0] not in answer.text

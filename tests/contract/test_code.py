"""specs/openapi.yaml and the code have the same routes, fields, limits and error codes."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import UnionType
from typing import Any

import jsonschema_rs
import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import Schema, ValidationError, fields
from marshmallow import missing as no_default

import app as service
from app import db, errors, zones
from app.auth import schemas as auth
from app.auth.access_tokens import LIFETIME
from app.auth.scopes import OPERATIONS, PUBLIC, SCOPES, SESSION, TASKS_ANY
from app.config import Config
from app.feeds import schemas as feeds
from app.filters import schemas as filters
from app.http.body import BODY_LIMIT
from app.http.fields import (
    Choice,
    DayOrInstant,
    Flag,
    Instant,
    Integer,
    LocalTime,
    QueryFlag,
    QueryInteger,
    Repeated,
    StrictSchema,
    Text,
    Zone,
)
from app.imports import schemas as imports
from app.kinds import EXPORTS, KINDS
from app.kinds import schemas as kinds
from app.kinds.routes import BATCH_LIMIT
from app.labels import schemas as labels
from app.ledger import positions
from app.ledger import schemas as ledger
from app.lists import schemas as lists
from app.ratelimit.limits import RateLimits
from app.ratelimit.shared_counters import SharedCounters
from app.search import schemas as search
from app.system.docs import CONTRACT
from app.tasks import schemas as tasks
from app.tasks.export import COLUMNS
from app.tasks.reminders import MOST_REMINDERS
from app.webhooks import schemas as webhooks
from tests.support import openapi
from tests.support.api_user import ApiUser, register
from tests.support.openapi import Node, Operation, operations, resolve

BODIES: Mapping[str, Schema] = {
    "register": auth.REGISTRATION,
    "logIn": auth.LOGIN,
    "refreshSession": auth.REFRESH_TOKEN,
    "logOut": auth.REFRESH_TOKEN,
    "updateMe": auth.USER_CHANGES,
    "changePassword": auth.PASSWORD_CHANGE,
    "createToken": auth.NEW_TOKEN,
    "setUpSecondFactor": auth.SECOND_FACTOR_SETUP,
    "confirmSecondFactor": auth.SECOND_FACTOR_CODE,
    "removeSecondFactor": auth.SECOND_FACTOR_REMOVAL,
    "eraseMe": auth.ERASURE,
    "requestEmailChange": auth.EMAIL_CHANGE,
    "confirmEmailChange": auth.LINK,
    "sendVerification": auth.NOTHING,
    "confirmVerification": auth.LINK,
    "requestReset": auth.RESET_REQUEST,
    "confirmReset": auth.RESET,
    "createTask": tasks.NEW_TASK,
    "putTask": tasks.TASK_CHANGES,
    "updateTask": tasks.TASK_CHANGES,
    "completeTask": tasks.COMPLETION,
    "skipTask": tasks.SKIP,
    "moveTask": tasks.TASK_MOVE,
    "createList": lists.NEW_LIST,
    "putList": lists.LIST_CHANGES,
    "updateList": lists.LIST_CHANGES,
    "moveList": ledger.MOVE,
    "createLabel": labels.NEW_LABEL,
    "putLabel": labels.LABEL_CHANGES,
    "updateLabel": labels.LABEL_CHANGES,
    "moveLabel": ledger.MOVE,
    "createFilter": filters.NEW_FILTER,
    "putFilter": filters.FILTER_CHANGES,
    "updateFilter": filters.FILTER_CHANGES,
    "moveFilter": ledger.MOVE,
    "createFeed": feeds.NEW_FEED,
    "createWebhook": webhooks.NEW_WEBHOOK,
    "updateWebhook": webhooks.WEBHOOK_CHANGES,
    "replayWebhook": webhooks.REPLAY,
    "applyBatch": kinds.BATCH,
}
QUERIES: Mapping[str, Schema] = {
    "logIn": auth.COOKIE_QUERY,
    "refreshSession": auth.COOKIE_QUERY,
    "logOut": auth.COOKIE_QUERY,
    "listTasks": search.LIST_QUERY,
    "getCalendar": feeds.CALENDAR,
    "listLists": lists.LIST_QUERY,
    "listLabels": ledger.PAGE_QUERY,
    "listFilters": ledger.PAGE_QUERY,
    "listTaskTrash": ledger.PAGE_QUERY,
    "listListTrash": ledger.PAGE_QUERY,
    "listLabelTrash": ledger.PAGE_QUERY,
    "listFilterTrash": ledger.PAGE_QUERY,
    "listTaskHistory": ledger.PAGE_QUERY,
    "listTaskCompletions": ledger.PAGE_QUERY,
    "listListHistory": ledger.PAGE_QUERY,
    "listLabelHistory": ledger.PAGE_QUERY,
    "listFilterHistory": ledger.PAGE_QUERY,
    "listChanges": kinds.FEED_QUERY,
    "exportItems": kinds.EXPORT,
    "createImport": imports.NEW_IMPORT,
    "listImportRows": imports.ROWS_QUERY,
}
BATCH_OPERATIONS: Mapping[tuple[str, str], Schema] = {
    (kind.name, op): operation.schema
    for kind in KINDS.values()
    for op, operation in kind.operations.items()
}

FILE = "createImport"  # its body is a file
MCP = "callMcp"  # its body is a message of JSON-RPC, whose errors are its own
# What the schema of an operation has besides the fields of its change.
CREATION = StrictSchema.from_dict({"ref": kinds.Reference()})()

METRICS_TOKEN = "a-token-for-prometheus"
PLACEHOLDER = re.compile(r"<(?:\w+:)?(\w+)>")


@pytest.mark.proves("DOC-1")
def test_openapi_json_is_the_file(client: FlaskClient) -> None:
    served = client.get("/openapi.json")
    assert served.json == yaml.safe_load(CONTRACT.read_text())
    known = {"If-None-Match": served.headers["ETag"]}
    assert client.get("/openapi.json", headers=known).status_code == 304


@pytest.mark.proves("DOC-1")
def test_the_contract_has_the_version_of_the_service() -> None:
    assert openapi.document()["info"]["version"] == service.__version__


@pytest.mark.proves("DOC-2")
def test_the_contract_has_the_routes_of_the_application(app: Flask) -> None:
    routes = {
        (method, PLACEHOLDER.sub(r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == {(each.method, each.path) for each in operations().values()}


@pytest.mark.proves("API-15")
@pytest.mark.parametrize("path", openapi.document()["paths"])
def test_options_allows_the_methods_of_the_contract(client: FlaskClient, path: str) -> None:
    concrete = path.replace("{user_id}", "me").replace("{", "").replace("}", "")
    described = {each.method for each in operations().values() if each.path == path}
    allowed = client.options(concrete).headers["Allow"].split(", ")
    assert set(allowed) - {"HEAD", "OPTIONS"} == described


@pytest.mark.parametrize("name", operations())
def test_an_operation_needs_a_token_unless_the_contract_says_it_is_public(
    client: FlaskClient, name: str
) -> None:
    operation = operations()[name]
    path = operation.path.replace("{user_id}", "me").replace("{", "").replace("}", "")
    answer = client.open(path, method=operation.method)
    asks_for_token = answer.headers.get("WWW-Authenticate") == "Bearer"
    assert asks_for_token != (operation.is_public or path == "/metrics")


WRITES = [name for name, each in operations().items() if each.method != "GET" and name != FILE]


@pytest.mark.proves("API-11", "API-12", "API-14", "DOC-2")
@pytest.mark.parametrize("name", WRITES)
def test_every_write_refuses_a_body_of_another_size_type_or_shape(
    alice: ApiUser, name: str
) -> None:
    """Writes without a body as well; the client checks each response against the contract."""
    operation = operations()[name]
    path = operation.path.replace("{user_id}", "me").replace("{", "").replace("}", "")
    too_large = b" " * ((BATCH_LIMIT if name == "applyBatch" else BODY_LIMIT) + 1)
    for status, body, media_type in (
        (413, too_large, "text/plain"),
        (415, b"{", "text/plain"),
        (400, b"{", "application/json"),
        (400 if name == MCP else 422, b'{"an unknown field": 1}', "application/json"),
    ):
        answer = alice.call(operation.method, path, data=body, content_type=media_type)
        assert answer.status_code == status


# --- fields and limits --------------------------------------------------------------------------

# Strings whose values are compared one by one, below.
Spelling = (
    ledger.Token
    | ledger.ItemId
    | ledger.Reference
    | ledger.Color
    | kinds.Reference
    | search.Id
    | search.IdOrNone
    | auth.ClockTime
    | DayOrInstant
    | Instant
    | LocalTime
    | tasks.Offset
    | Zone
)
KEYWORDS: list[tuple[type | UnionType, Callable[[Any], dict[str, Any]]]] = [
    (Text, lambda it: {"type": "string", "minLength": it.minimum, "maxLength": it.maximum}),
    (
        Integer | QueryInteger,
        lambda it: {"type": "integer", "minimum": it.minimum, "maximum": it.maximum},
    ),
    (Flag | QueryFlag, lambda _: {"type": "boolean"}),
    (Choice, lambda it: {"type": "string", "enum": set(it.choices)}),
    (
        tasks.LabelIds | tasks.LabelNames,
        lambda _: {"type": "array", "maxItems": labels.MOST_LABELS},
    ),
    (
        auth.Scopes,
        lambda _: {
            "type": "array",
            "minItems": 1,
            "maxItems": len(SCOPES),
            "uniqueItems": True,
            "items": {"$ref": "#/components/schemas/Scope"},
        },
    ),
    (
        webhooks.Types,
        lambda _: {
            "type": "array",
            "minItems": 1,
            "maxItems": len(webhooks.TYPES),
            "uniqueItems": True,
            "items": {"$ref": "#/components/schemas/WebhookType"},
        },
    ),
    (tasks.Reminders, lambda _: {"type": "array", "maxItems": MOST_REMINDERS}),
    (Repeated, lambda _: {"type": "array", "maxItems": labels.MOST_LABELS}),
    (Spelling, lambda _: {"type": "string"}),
    (
        kinds.Operations,
        lambda _: {"type": "array", "minItems": 1, "maxItems": kinds.MOST_OPERATIONS},
    ),
]


def keywords(field: fields.Field[Any]) -> dict[str, Any]:
    """The JSON Schema keywords of a field."""
    for types, translate in KEYWORDS:
        if isinstance(field, types):
            found = translate(field)
            break
    else:
        raise AssertionError(f"no JSON Schema is known for {field!r}")
    if field.load_default not in (no_default, None, ()):
        found["default"] = field.load_default
    return found


def schemas() -> Mapping[str, Node]:
    """The schemas of the contract by name."""
    named: Mapping[str, Node] = openapi.document()["components"]["schemas"]
    return named


def merged(node: Node) -> Node:
    """The target of the node's `$ref` with the keywords beside each `$ref` on the way."""
    beside: dict[str, Any] = {}
    while "$ref" in node:
        beside = {**node, **beside}
        node = schemas()[node["$ref"].rpartition("/")[2]]
    return {**node, **beside}


def described(node: Node, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords in `wanted` of a property in the contract, with their defaults."""
    schema = {"minLength": 0, **merged(node)}
    found = {name: schema.get(name) for name in wanted}
    if "default" in schema:
        found["default"] = schema["default"]
    if "enum" in found and found["enum"] is not None:
        found["enum"] = set(found["enum"])
    return found


def nullable(field: fields.Field[Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords with the type `null` added if the field allows None."""
    return {**wanted, "type": [wanted["type"], "null"]} if field.allow_none else {**wanted}


def assert_same(schema: Schema, properties: Mapping[str, Node], required: set[str]) -> None:
    """Asserts that both have the same fields, keywords and required fields.

    In a query, `allow_none` says that the parameter is optional: there is no null.
    """
    is_query = schema in QUERIES.values()
    assert schema.fields.keys() == properties.keys()
    assert {name for name, field in schema.fields.items() if field.required} == required
    for name, field in schema.fields.items():
        wanted = keywords(field) if is_query else nullable(field, keywords(field))
        assert described(properties[name], wanted) == wanted, name


def body_schema(operation: Operation) -> Node:
    """The JSON Schema of the request body."""
    assert operation.request is not None
    return resolve(operation.request["content"]["application/json"]["schema"])


def test_the_contract_has_the_types_of_events() -> None:
    assert schemas()["WebhookType"]["enum"] == list(webhooks.TYPES)


@pytest.mark.proves("DOC-2")
@pytest.mark.parametrize("name", BODIES)
def test_a_request_body_has_the_fields_and_limits_of_its_schema(name: str) -> None:
    node = body_schema(operations()[name])
    assert node["additionalProperties"] is False
    assert_same(BODIES[name], node["properties"], set(node.get("required", ())))


@pytest.mark.proves("DOC-2")
@pytest.mark.parametrize(("kind", "op"), BATCH_OPERATIONS)
def test_a_batch_operation_has_the_fields_and_limits_of_its_schema(kind: str, op: str) -> None:
    node = resolve({"$ref": operations_of(kind)[op]})
    properties, required = dict(node["properties"]), set(node["required"])
    assert properties.pop("op")["const"] == op
    assert resolve(properties.pop("kind"))["const"] == kind
    assert ("ref" in properties) == (op == "create")
    if op == "create":
        assert_same(CREATION, {"ref": properties.pop("ref")}, set())
    assert ("kind" in required) == (kind != kinds.OPERATION.fields["kind"].load_default)
    assert node["additionalProperties"] is False
    assert_same(BATCH_OPERATIONS[kind, op], properties, required - {"op", "kind"})


def operations_of(kind: str) -> Mapping[str, str]:
    """References to the schemas of a kind's operations in a batch, by `op`."""
    mapping: Mapping[str, str] = schemas()[f"{kind.title()}Operation"]["discriminator"]["mapping"]
    return mapping


@pytest.mark.proves("DOC-2")
def test_the_contract_has_the_kinds_and_operations_of_the_code() -> None:
    operation = kinds.OPERATION.fields
    assert schemas()["Kind"]["enum"] == list(KINDS)
    changed = [kind.name for kind in KINDS.values() if kind.operations]
    assert changed == list(operation["kind"].choices)  # type: ignore[attr-defined]
    described = {(kind, op) for kind in changed for op in operations_of(kind)}
    assert described == BATCH_OPERATIONS.keys()
    assert {op for _, op in described} == {*operation["op"].choices}  # type: ignore[attr-defined]
    variants = [f"#/components/schemas/{kind.title()}Operation" for kind in changed]
    assert [each["$ref"] for each in schemas()["BatchOperation"]["oneOf"]] == variants
    assert list(schemas()["Change"]["discriminator"]["mapping"]) == list(KINDS)
    assert schemas()["Export"]["required"] == list(EXPORTS)
    plurals = [kind.plural for kind in KINDS.values()]
    assert schemas()["Erasure"]["required"][: len(plurals)] == plurals


@pytest.mark.proves("DOC-2")
def test_a_reminder_has_the_fields_of_its_schema_in_two_forms() -> None:
    forms = [form["properties"] for form in schemas()["ReminderInput"]["oneOf"]]
    properties = {name: {**node} for form in forms for name, node in form.items()}
    assert properties["relative_to"].pop("default") == "due"
    assert properties["snooze"].pop("default") is False
    assert_same(tasks.REMINDER, properties, set())
    assert [form.keys() for form in forms] == [{"offset", "relative_to"}, {"at", "snooze"}]


@pytest.mark.proves("DOC-2")
@pytest.mark.parametrize("name", QUERIES)
def test_a_query_has_the_parameters_and_limits_of_its_schema(name: str) -> None:
    parameters = {each["name"]: each for each in operations()[name].parameters}
    queries = {key: each for key, each in parameters.items() if each["in"] == "query"}
    properties = {key: each["schema"] for key, each in queries.items()}
    required = {key for key, each in queries.items() if each.get("required")}
    assert_same(QUERIES[name], properties, required)


ID = "019ab1c2-6a3b-7c4d-8e5f-60718293a4b5"
# A field, the schema in the contract, and values that both accept or refuse.
SPELLINGS: list[tuple[fields.Field[Any], str, list[Any], list[Any]]] = [
    (ledger.Reference(allow_none=True), "NullableId", [ID, None], [ID.upper(), ID[:-1], "#a", 7]),
    (search.Id(), "Id", [ID], [ID.upper(), f"{ID}\n", "none", ""]),
    (search.IdOrNone(), "IdOrNone", [ID, "none"], [ID.upper(), "None", "null", ""]),
    (kinds.Reference(), "Ref", ["a", "A-z_9", "a" * 64], ["", "a" * 65, "#a", "ä", "a\n", 7]),
    (
        ledger.Color(allow_none=True),
        "ColorInput",
        ["#c03a2b", "#C03A2B", None],
        ["c03a2b", "#c03a2", "#c03a2bf", "#c03a2g", "#c03a2b\n", "red", "", 7],
    ),
    (auth.ClockTime(), "ClockTime", ["00:00", "23:59"], ["24:00", "9:00", "09:00:00", "09:60", 9]),
    (
        LocalTime(allow_none=True),
        "LocalTimeInput",
        ["1970-01-01", "2199-12-31", "2026-10-07T09:00", "2026-10-07T23:59:59", None],
        [
            *("1969-12-31", "2200-01-01", "2026-13-01", "2026-00-01", "2026-10-00", "2026-10-32"),
            *("2026-10-07T24:00", "2026-10-07T09:60", "2026-10-07T09:00:60", "2026-10-07T09"),
            *("2026-10-07T09:00Z", "2026-10-07T09:00+02:00", "2026-10-07T09:00:00.5"),
            *("2026-10-07 09:00", "20261007", "2026-W41-3", "2026-10-07\n", "", 20261007),
        ],
    ),
    (
        DayOrInstant(),
        "DayOrInstant",
        ["1970-01-01", "2026-10-07T09:00:00Z", "2026-10-07T09:00:00.123456+02:00"],
        [
            *("1969-12-31", "2200-01-01", "2026-13-01", "2026-10-07T09:00", "2026-10-07T09:00:00"),
            *("2026-10-07T24:00:00Z", "2026-10-07T09:00:00+24:00", "2026-10-07T09:00:00 02:00"),
            *("2026-10-07T09:00:00.Z", "2026-10-07T09:00:00.1234567Z", "2026-10-07\n", ""),
        ],
    ),
    (
        Instant(allow_none=True),
        "InstantInput",
        ["1970-01-01T00:00:00Z", "2026-10-07T09:00:00.123456+02:00", None],
        [
            *("1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-10-07"),
            *("2026-10-07T09:00:00", "2026-10-07T09:00Z", "2026-10-07T24:00:00Z", "", 20261007),
            *("2026-10-07T09:00:00+24:00", "2026-10-07T09:00:00.1234567Z"),
            "2026-10-07T09:00:00Z\n",
        ],
    ),
    (
        Instant(),
        "Instant",
        ["1970-01-01T00:00:00Z", "2026-10-07T09:00:00.5Z", "2199-12-31T09:00:00.123456+02:00"],
        [
            *("1969-12-31T09:00:00Z", "2200-01-01T00:00:00Z", "2026-13-01T00:00:00Z"),
            *("2026-10-07", "2026-10-07T09:00Z", "2026-10-07T09:00:00", "2026-10-07T24:00:00Z"),
            *("2026-10-07T09:00:00+24:00", "2026-10-07t09:00:00z", "2026-10-07 09:00:00Z"),
            *("2026-10-07T09:00:00.1234567Z", "2026-10-07T09:00:00Z\n", "", 1_790_000_000, None),
        ],
    ),
    (
        tasks.Offset(),
        "Duration",
        ["PT0S", "-PT30M", "+P1D", "-P52W", "P366D", "P1DT2H3M4S", "PT1H30S", "-PT31622400S"],
        [
            *("", "P", "-P", "PT", "P1DT", "P1W2D", "P1Y", "P1M", "P1.5D", "PT1M1H", "30M"),
            *("pt30m", "--P1D", "P-1D", "P 1D", "PT30M\n", "P\u0661D", "PT123456789S", 30, None),
        ],
    ),
    (
        Zone(),
        "TimeZone",
        sorted(zones.NAMES),
        ["", " UTC", "UTC\n", "Europe/", "/UTC", "Europe//Rome", "../UTC", "UTC\0", "a" * 65],
    ),
]


@pytest.mark.proves("DOC-2")
@pytest.mark.parametrize(
    ("field", "name", "accepted", "refused"), SPELLINGS, ids=[each[1] for each in SPELLINGS]
)
def test_a_schema_and_its_field_accept_the_same_spellings(
    field: fields.Field[Any], name: str, accepted: list[Any], refused: list[Any]
) -> None:
    described = openapi.validator(name)
    for value in accepted:
        field.deserialize(value)
        described.validate(value)
    for value in refused:
        assert not described.is_valid(value), value
        with pytest.raises(ValidationError):
            field.deserialize(value)


@pytest.mark.parametrize("name", ["NewTask", "TaskChanges", "BatchCreateTask", "BatchUpdateTask"])
def test_a_task_has_labels_by_id_or_by_name(name: str) -> None:
    either = {"kind": "task", "op": "create", "id": ID, "title": "a"}
    given = {key: either[key] for key in schemas()[name]["properties"] if key in either}
    if "op" in given:
        given["op"] = schemas()[name]["properties"]["op"]["const"]
    both = {**given, "labels": ["a"], "label_ids": [ID]}
    assert openapi.validator(name).is_valid({**given, "labels": ["a"]})
    assert openapi.validator(name).is_valid({**given, "label_ids": [ID]})
    assert not openapi.validator(name).is_valid(both)


@pytest.mark.parametrize("name", ["Move", "TaskMove", "BatchMoveTask", "BatchMoveLabel"])
def test_a_move_names_one_neighbour(name: str) -> None:
    properties = schemas()[name]["properties"]
    given = {"id": ID} if "id" in properties else {}
    given |= {key: resolve(properties[key])["const"] for key in ("kind", "op") if key in properties}
    assert openapi.validator(name).is_valid({**given, "after": None})
    assert openapi.validator(name).is_valid({**given, "before": ID})
    assert not openapi.validator(name).is_valid(given)
    assert not openapi.validator(name).is_valid({**given, "after": None, "before": ID})


def test_the_contract_has_the_longest_position() -> None:
    assert schemas()["Position"]["maxLength"] == positions.LONGEST


def test_the_contract_has_no_other_request_bodies_and_queries() -> None:
    assert {each.id for each in operations().values() if each.request} == {*BODIES, FILE, MCP}
    assert {
        each.id
        for each in operations().values()
        if any(parameter["in"] == "query" for parameter in each.parameters)
    } == QUERIES.keys()


def test_every_schema_of_the_code_is_compared_with_the_contract() -> None:
    parts = {kinds.OPERATION, tasks.REMINDER}
    compared = {*BODIES.values(), *QUERIES.values(), *BATCH_OPERATIONS.values(), *parts}
    instances = {
        each
        for module in (
            auth,
            tasks,
            lists,
            labels,
            filters,
            search,
            ledger,
            kinds,
            webhooks,
            feeds,
            imports,
        )
        for each in vars(module).values()
        if isinstance(each, StrictSchema)
    }
    assert instances <= compared


def test_an_exported_task_has_the_columns_of_a_task() -> None:
    assert list(COLUMNS) == list(openapi.document()["components"]["schemas"]["Task"]["properties"])


def test_the_contract_has_the_lifetime_of_an_access_token() -> None:
    session = openapi.document()["components"]["schemas"]["Session"]["properties"]
    assert session["expires_in"]["maximum"] == LIFETIME


# --- errors -------------------------------------------------------------------------------------


def family(parent: type[errors.AppError] = errors.AppError) -> Iterator[type[errors.AppError]]:
    """All subclasses, direct and indirect."""
    for child in parent.__subclasses__():
        yield child
        yield from family(child)


# A subclass with more details, such as NotReady, has the code of its parent.
ERRORS = {error.code: error for error in reversed(list(family()))}


def documented_errors() -> Iterator[tuple[str, str]]:
    """Every (status, code) of the responses in the contract."""
    answers = [each.responses for each in operations().values()]
    for responses in [*answers, openapi.general_responses()]:
        for status, response in responses.items():
            media = response.get("content", {}).get("application/json", {})
            if media.get("schema", {}).get("$ref", "").endswith("/Failure"):
                yield from ((status, code) for code in media["examples"])


@pytest.mark.proves("DOC-2")
def test_the_contract_has_the_error_codes_of_the_code() -> None:
    enum = openapi.document()["components"]["schemas"]["ErrorCode"]["enum"]
    assert sorted(enum) == sorted(ERRORS)


@pytest.mark.proves("DOC-2")
def test_every_error_code_has_its_status_in_the_contract() -> None:
    assert {(str(error.status), code) for code, error in ERRORS.items()} == set(documented_errors())


@pytest.mark.parametrize("code", ERRORS)
def test_the_example_of_an_error_has_its_code_and_message(code: str) -> None:
    example = openapi.document()["components"]["examples"][code]["value"]["error"]
    assert (example["code"], example["message"]) == (code, ERRORS[code].message)


# --- examples -----------------------------------------------------------------------------------


@pytest.fixture
def operated(config: Config) -> Iterator[FlaskClient]:
    """The service with its optional features: rate limits and metrics."""
    limit, token = "600/minute", METRICS_TOKEN
    application = service.create_app(replace(config, rate_limit=limit, metrics_token=token))
    application.extensions["rate_limits"] = RateLimits(limit, SharedCounters())
    yield application.test_client()
    db.close_pool()


def without_numbers(text: str) -> str:
    """The text with every number replaced by 0."""
    return re.sub(r"\d+(\.\d+)?", "0", text)


@pytest.mark.proves("OPS-3")
def test_the_examples_of_rate_limit_headers_are_like_real_ones(operated: FlaskClient) -> None:
    answer = register(operated).get()
    headers = openapi.document()["components"]["headers"]
    for name in ("RateLimit", "RateLimit-Policy"):
        assert without_numbers(headers[name]["example"]) == without_numbers(answer.headers[name])


@pytest.mark.proves("OPS-21")
def test_the_example_of_the_metrics_is_part_of_the_response(operated: FlaskClient) -> None:
    assert operated.get("/nowhere").status_code == 404
    bearer = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    response = without_numbers(operated.get("/metrics", headers=bearer).text)
    example = operations()["getMetrics"].responses["200"]["content"]["text/plain"]["example"]
    assert without_numbers(example) in response


def test_an_access_token_is_accepted_in_the_header_of_the_contract(alice: ApiUser) -> None:
    session = openapi.document()["components"]["schemas"]["Session"]["properties"]
    described = re.search("`(.+)`", session["access_token"]["description"])
    assert described is not None
    name, _, value = described[1].partition(": ")
    sent = {name: value.replace("…", alice.access_token)}
    assert alice.client.get("/api/auth/me", headers=sent).status_code == 200


@pytest.mark.proves("AUTH-84")
def test_the_contract_has_the_scope_of_each_operation(app: Flask) -> None:
    endpoints = {
        (method, PLACEHOLDER.sub(r"{\1}", rule.rule)): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    assert schemas()["Scope"]["enum"] == list(SCOPES)
    for operation in operations().values():
        scope = OPERATIONS[endpoints[operation.method, operation.path]]
        if operation.path != "/metrics":  # it has a token of its own
            assert operation.is_public == (scope == PUBLIC), operation.id
        named = scope.split(" ") if scope in (*SCOPES, TASKS_ANY) else []
        assert list(operation.scopes) == named, operation.id
        if scope == SESSION:
            assert "INSUFFICIENT_SCOPE" in str(operation.responses["403"]), operation.id


@pytest.mark.parametrize("name", openapi.document()["components"]["headers"])
def test_the_example_of_a_header_is_valid(name: str) -> None:
    header = openapi.document()["components"]["headers"][name]
    jsonschema_rs.validate(header["schema"], header["example"], validate_formats=True)


# --- the document itself ------------------------------------------------------------------------


def test_every_component_of_the_contract_is_used() -> None:
    used = {node["$ref"] for node in openapi.nodes(openapi.document()) if "$ref" in node}
    assert used >= {
        f"#/components/{kind}/{name}"
        for kind, members in openapi.document()["components"].items()
        if kind != "securitySchemes"
        for name in members
    }

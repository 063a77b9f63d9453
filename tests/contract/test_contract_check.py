"""The contract check raises for every kind of deviation from specs/openapi.yaml."""

from typing import Any

import orjson
import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from tests.support.contract_check import ContractError, checked

LIVE: dict[str, Any] = {"success": True, "data": {"status": "alive"}, "error": None}
ERROR: dict[str, Any] = {
    "code": "NOT_FOUND",
    "message": "There is nothing here",
    "details": [],
    "request_id": "r1",
}


def answering(
    body: Any, status: int = 200, media_type: str = "application/json", **headers: str
) -> FlaskClient:
    """A client of a service that gives this response to every request."""
    app = Flask(__name__)
    given = {name.replace("_", "-"): value for name, value in headers.items()}

    @app.before_request
    def answer() -> Response:
        sent = {"X-Request-Id": "r1", **given}
        return Response(orjson.dumps(body), status, sent, content_type=media_type)

    app.wsgi_app = checked(app.wsgi_app)  # type: ignore[assignment, method-assign]
    return app.test_client()


def test_a_documented_response_passes() -> None:
    assert answering(LIVE).get("/livez").status_code == 200


def test_head_is_checked_like_get_without_the_body() -> None:
    assert answering(LIVE).head("/livez").status_code == 200
    with pytest.raises(ContractError, match="not documented"):
        answering(LIVE, 418).head("/livez")


@pytest.mark.proves("DOC-3")
@pytest.mark.parametrize("status", [201, 204, 401, 418])
def test_an_undocumented_status_is_refused(status: int) -> None:
    with pytest.raises(ContractError, match="is not documented"):
        answering(LIVE, status).get("/livez")


@pytest.mark.proves("DOC-3")
def test_a_missing_header_is_refused() -> None:
    with pytest.raises(ContractError, match="lacks its header etag"):
        answering({}).get("/openapi.json")


@pytest.mark.proves("DOC-3")
def test_a_malformed_header_is_refused() -> None:
    with pytest.raises(ContractError, match="malformed header"):
        answering(LIVE, X_Request_Id="two words").get("/livez")


@pytest.mark.proves("DOC-3")
def test_a_header_that_is_not_documented_for_the_response_is_refused() -> None:
    with pytest.raises(ContractError, match="not documented: location"):
        answering(LIVE, Location="/elsewhere").get("/livez")


@pytest.mark.proves("DOC-3")
@pytest.mark.parametrize(
    "body",
    [
        {**LIVE, "success": False},
        {**LIVE, "data": {}},
        {**LIVE, "data": {"status": "alive", "secret": 1}},
        {**LIVE, "meta": {}},
        {"success": True, "data": {"status": "alive"}},
    ],
)
def test_a_body_that_does_not_fit_its_schema_is_refused(body: Any) -> None:
    with pytest.raises(ContractError, match="is not a valid LivenessAnswer"):
        answering(body).get("/livez")


def test_an_undocumented_media_type_is_refused() -> None:
    with pytest.raises(ContractError, match="media type"):
        answering(LIVE, media_type="text/html").get("/livez")


def test_an_error_code_that_is_not_documented_for_the_status_is_refused() -> None:
    body = {"success": False, "data": None, "error": {**ERROR, "code": "FORBIDDEN"}}
    with pytest.raises(ContractError, match="not documented with FORBIDDEN"):
        answering(body, 404).get("/nowhere")


def test_an_error_with_another_request_id_than_its_header_is_refused() -> None:
    body = {"success": False, "data": None, "error": {**ERROR, "request_id": "r2"}}
    with pytest.raises(ContractError, match="different request ids"):
        answering(body, 404).get("/nowhere")


@pytest.mark.proves("DOC-3")
def test_a_streamed_body_is_checked_at_its_end() -> None:
    def service(_environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "application/json"), ("X-Request-Id", "r1")])
        yield b'{"success": true, "data": '
        yield b'{"status": "dead"}, "error": null}'

    answer = checked(service)({"REQUEST_METHOD": "GET", "PATH_INFO": "/livez"}, lambda *_: print)
    with pytest.raises(ContractError, match="is not a valid LivenessAnswer"):
        list(answer)

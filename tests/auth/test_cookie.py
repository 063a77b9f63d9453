"""The web client's refresh token in a cookie: asked for by ?cookie=true, from its own origin."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.cookies import Morsel, SimpleCookie
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.config import Config
from tests.support.api_user import PASSWORD, ApiUser, broken_fields, data, error
from tests.support.auth_rows import age_tokens
from tests.support.remote_user import sign_up
from tests.support.second_factor import switch_on
from tests.support.server import Reply, Server

ORIGIN = "http://localhost"  # of the test client's requests
NAME = "__Secure-refresh_token"
GRACE = 10  # seconds
FORBIDDEN, ENDED = (403, "FORBIDDEN"), (401, "UNAUTHENTICATED")


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    """A client without a jar: each test sends the cookies that it means."""
    return app.test_client(use_cookies=False)


def call(
    client: FlaskClient,
    name: str,
    body: Any = None,
    *,
    cookie: str | None = None,
    origin: str | None = ORIGIN,
    query: str = "?cookie=true",
    **headers: str,
) -> TestResponse:
    sent = dict(headers)
    if origin is not None:
        sent["Origin"] = origin
    if cookie is not None:
        sent["Cookie"] = f"{NAME}={cookie}"
    return client.post(f"/api/auth/{name}{query}", json={} if body is None else body, headers=sent)


def log_in(client: FlaskClient, user: ApiUser, **options: Any) -> TestResponse:
    return call(client, "login", {"email": user.email, "password": PASSWORD}, **options)


def kept(answer: TestResponse) -> Morsel[str]:
    """The one cookie that the response sets."""
    (header,) = answer.headers.getlist("Set-Cookie")
    return SimpleCookie(header)[NAME]


def sets_nothing(answer: TestResponse) -> bool:
    return "Set-Cookie" not in answer.headers


def is_cleared(answer: TestResponse) -> bool:
    cookie = kept(answer)
    return (cookie.value, cookie["max-age"], cookie["path"]) == ("", "0", "/api/auth")


@pytest.fixture
def token(browser: FlaskClient, alice: ApiUser) -> str:
    """The token in the cookie of a log-in."""
    return kept(log_in(browser, alice)).value


# --- where the token is ---------------------------------------------------------------------------


@pytest.mark.proves("AUTH-170")
def test_a_login_keeps_the_refresh_token_in_a_cookie_instead_of_the_body(
    browser: FlaskClient, alice: ApiUser
) -> None:
    answer = log_in(browser, alice)
    assert data(answer).keys() == {"access_token", "token_type", "expires_in", "user"}
    cookie = kept(answer)
    assert cookie.value not in answer.text
    attributes = {name: value for name, value in cookie.items() if value}
    assert attributes == {
        "path": "/api/auth",
        "max-age": str(30 * 24 * 60 * 60),
        "secure": True,
        "httponly": True,
        "samesite": "Strict",
    }
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.proves("AUTH-170")
@pytest.mark.parametrize("query", ["", "?cookie=false"])
def test_without_the_parameter_everything_stays_as_it_is(
    browser: FlaskClient, alice: ApiUser, token: str, query: str
) -> None:
    plain = {"query": query, "origin": "https://elsewhere.example", "cookie": token}
    session = log_in(browser, alice, **plain)
    assert sets_nothing(session)
    body = {"refresh_token": data(session)["refresh_token"]}
    refreshed = call(browser, "refresh", body, **plain)
    assert sets_nothing(refreshed)
    body = {"refresh_token": data(refreshed)["refresh_token"]}
    assert body["refresh_token"] != token
    ended = call(browser, "logout", body, **plain)
    assert (data(ended), sets_nothing(ended)) == (None, True)
    assert error(call(browser, "refresh", body, **plain)) == ENDED
    assert call(browser, "refresh", cookie=token).status_code == 200


@pytest.mark.proves("AUTH-170")
@pytest.mark.parametrize("name", ["refresh", "logout"])
def test_without_the_parameter_a_cookie_is_no_token(
    browser: FlaskClient, token: str, name: str
) -> None:
    assert broken_fields(call(browser, name, query="", cookie=token)) == ["refresh_token"]


@pytest.mark.proves("AUTH-170")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/auth/me"),
        ("GET", "/api/auth/sessions"),
        ("DELETE", "/api/auth/me"),
        ("PUT", "/api/auth/password"),
        ("GET", "/api/me/tasks"),
        ("POST", "/mcp"),
    ],
)
def test_the_cookie_is_ignored_everywhere_else(
    browser: FlaskClient, token: str, method: str, path: str
) -> None:
    headers = {"Cookie": f"{NAME}={token}", "Origin": ORIGIN}
    answer = browser.open(path, method=method, headers=headers, json={"password": PASSWORD})
    assert error(answer) == (401, "UNAUTHENTICATED")
    assert sets_nothing(answer)


@pytest.mark.proves("AUTH-170")
@pytest.mark.parametrize("name", ["refresh", "logout"])
def test_with_the_parameter_a_token_in_the_body_is_refused(
    browser: FlaskClient, alice: ApiUser, token: str, name: str
) -> None:
    body = {"refresh_token": alice.refresh_token}
    assert broken_fields(call(browser, name, body, cookie=token)) == ["refresh_token"]
    assert call(browser, "refresh", cookie=token).status_code == 200


@pytest.mark.parametrize("name", ["login", "refresh", "logout"])
@pytest.mark.parametrize("query", ["?cookie=yes", "?cookie=", "?cookie=1"])
def test_the_parameter_is_true_or_false(browser: FlaskClient, name: str, query: str) -> None:
    answer = call(browser, name, {"nothing": 1}, query=query)
    assert {"cookie", "nothing"} <= set(broken_fields(answer))


def test_the_parameter_is_given_once_and_alone(browser: FlaskClient, alice: ApiUser) -> None:
    assert broken_fields(log_in(browser, alice, query="?cookie=true&cookie=true")) == ["cookie"]
    assert broken_fields(log_in(browser, alice, query="?cookie=true&other=1")) == ["other"]


def test_registration_takes_no_such_parameter(browser: FlaskClient) -> None:
    credentials = {"email": "new@example.com", "password": PASSWORD}
    assert broken_fields(call(browser, "register", credentials)) == ["cookie"]


# --- refresh and logout ---------------------------------------------------------------------------


@pytest.mark.proves("AUTH-171")
def test_a_refresh_replaces_the_cookie(browser: FlaskClient, token: str) -> None:
    answer = call(browser, "refresh", cookie=token)
    assert "refresh_token" not in data(answer)
    following = kept(answer).value
    assert following != token
    headers = {"Authorization": f"Bearer {data(answer)['access_token']}"}
    assert browser.get("/api/auth/me", headers=headers).status_code == 200
    assert call(browser, "refresh", cookie=following).status_code == 200


@pytest.mark.proves("AUTH-171")
def test_a_body_may_be_missing(browser: FlaskClient, token: str) -> None:
    headers = {"Origin": ORIGIN, "Cookie": f"{NAME}={token}"}
    for name in ("refresh", "logout"):
        assert browser.post(f"/api/auth/{name}?cookie=true", headers=headers).status_code == 200


@pytest.mark.proves("AUTH-171")
def test_two_tabs_that_refresh_at_once_stay_logged_in(server: Server) -> None:
    user = sign_up(server)
    headers = {"Origin": server.url}
    credentials = {"email": user.email, "password": PASSWORD}
    session = server.request("POST", "/api/auth/login?cookie=true", credentials, headers)

    def refresh(_: int) -> Reply:
        cookie = {"Cookie": session.headers["Set-Cookie"].partition(";")[0]}
        path = "/api/auth/refresh?cookie=true"
        return server.request("POST", path, {}, {**headers, **cookie})

    with ThreadPoolExecutor(8) as tabs:
        answers = list(tabs.map(refresh, range(8)))
    assert [answer.status for answer in answers] == [200] * 8
    assert len({answer.headers["Set-Cookie"] for answer in answers}) == 1


@pytest.mark.proves("AUTH-171")
def test_a_used_cookie_ends_the_session_after_the_grace_period(
    browser: FlaskClient, token: str, database_url: str
) -> None:
    following = kept(call(browser, "refresh", cookie=token)).value
    age_tokens(database_url, GRACE + 1)
    for stale in (token, following):
        answer = call(browser, "refresh", cookie=stale)
        assert (error(answer), is_cleared(answer)) == (ENDED, True)


@pytest.mark.proves("AUTH-171")
@pytest.mark.parametrize("cookie", [None, "", "x", "é", "A" * 200])
def test_a_refresh_that_fails_clears_the_cookie(browser: FlaskClient, cookie: str | None) -> None:
    answer = call(browser, "refresh", cookie=cookie)
    assert (error(answer), is_cleared(answer)) == (ENDED, True)
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.proves("AUTH-171")
def test_a_refresh_that_could_not_be_tried_leaves_the_cookie(config: Config, token: str) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    unreachable = create_app(replace(config, database_url=url)).test_client(use_cookies=False)
    answer = call(unreachable, "refresh", cookie=token)
    assert (answer.status_code, sets_nothing(answer)) == (503, True)


@pytest.mark.proves("AUTH-171")
def test_several_cookies_of_the_name_are_none(browser: FlaskClient, token: str) -> None:
    both = f"{token}; {NAME}={token}"
    answer = call(browser, "refresh", cookie=both)
    assert (error(answer), is_cleared(answer)) == (ENDED, True)
    assert call(browser, "refresh", cookie=f"{token}; other=1").status_code == 200


@pytest.mark.proves("AUTH-171")
def test_a_logout_ends_the_session_and_clears_the_cookie(
    browser: FlaskClient, alice: ApiUser
) -> None:
    session = log_in(browser, alice)
    token = kept(session).value
    answer = call(browser, "logout", cookie=token)
    assert (data(answer), is_cleared(answer)) == (None, True)
    assert error(call(browser, "refresh", cookie=token)) == ENDED
    again = call(browser, "logout", cookie=token)
    assert (data(again), is_cleared(again)) == (None, True)
    without = call(browser, "logout")
    assert (data(without), is_cleared(without)) == (None, True)


@pytest.mark.proves("AUTH-171")
def test_a_failed_login_sets_nothing(browser: FlaskClient, alice: ApiUser) -> None:
    wrong = {"email": alice.email, "password": "not the password"}
    answer = call(browser, "login", wrong)
    assert (error(answer), sets_nothing(answer)) == ((401, "INVALID_CREDENTIALS"), True)


@pytest.mark.proves("AUTH-171")
def test_a_login_with_a_second_factor_sets_the_cookie_once_the_code_is_right(
    browser: FlaskClient, alice: ApiUser
) -> None:
    factor = switch_on(alice)
    asked = log_in(browser, alice)
    assert (error(asked), sets_nothing(asked)) == ((401, "SECOND_FACTOR_REQUIRED"), True)
    code = factor.recovery_codes[0]
    credentials = {"email": alice.email, "password": PASSWORD, "code": code}
    assert kept(call(browser, "login", credentials)).value


# --- the origin -----------------------------------------------------------------------------------


@pytest.mark.proves("AUTH-172")
@pytest.mark.parametrize("name", ["login", "refresh", "logout"])
@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "https://localhost",
        "http://localhost:8001",
        "http://localhost.evil.example",
        "http://evil.example",
        "http://LOCALHOST",
        "http://localhost/",
        "http://localhost, http://evil.example",
    ],
)
def test_a_request_without_the_own_origin_is_refused(
    browser: FlaskClient, alice: ApiUser, token: str, name: str, origin: str | None
) -> None:
    body = {"email": alice.email, "password": PASSWORD} if name == "login" else {}
    answer = call(browser, name, body, cookie=token, origin=origin)
    assert (error(answer), sets_nothing(answer)) == (FORBIDDEN, True)
    assert call(browser, "refresh", cookie=token).status_code == 200


@pytest.mark.proves("AUTH-172")
@pytest.mark.parametrize(
    ("host", "scheme", "origin"),
    [
        ("todo.example.com", "https", "https://todo.example.com"),
        ("todo.example.com:443", "https", "https://todo.example.com"),
        ("TODO.example.com", "https", "https://todo.example.com"),
        ("todo.example.com:8443", "https", "https://todo.example.com:8443"),
        ("127.0.0.1:8000", "http", "http://127.0.0.1:8000"),
        ("[::1]:8000", "http", "http://[::1]:8000"),
        ("localhost:80", "http", "http://localhost"),
    ],
)
def test_the_own_origin_is_the_address_that_the_request_came_to(
    browser: FlaskClient, alice: ApiUser, host: str, scheme: str, origin: str
) -> None:
    answer = browser.post(
        "/api/auth/login?cookie=true",
        json={"email": alice.email, "password": PASSWORD},
        headers={"Host": host, "Origin": origin},
        environ_overrides={"wsgi.url_scheme": scheme, "HTTP_HOST": host},
    )
    assert kept(answer).value


@pytest.fixture
def proxied(config: Config) -> FlaskClient:
    """A client of a service behind a proxy, which is at 127.0.0.1."""
    settings = replace(
        config,
        forwarded_allow_ips=("127.0.0.1",),
        public_url="https://todo.example.com",
        cors_origins=("https://other.example.com",),
    )
    return create_app(settings).test_client(use_cookies=False)


@pytest.mark.proves("AUTH-172")
def test_behind_a_proxy_the_scheme_is_the_one_that_it_reports(
    proxied: FlaskClient, alice: ApiUser
) -> None:
    secure = {"Host": "inside.example", "X-Forwarded-Proto": "https"}
    assert log_in(proxied, alice, origin="https://inside.example", **secure).status_code == 200
    assert error(log_in(proxied, alice, origin="http://inside.example", **secure)) == FORBIDDEN


@pytest.mark.proves("AUTH-172")
def test_public_url_is_an_own_origin_and_those_of_cors_are_not(
    proxied: FlaskClient, alice: ApiUser
) -> None:
    inside = {"Host": "10.0.0.7:8000"}
    assert log_in(proxied, alice, origin="https://todo.example.com", **inside).status_code == 200
    foreign = log_in(proxied, alice, origin="https://other.example.com", **inside)
    assert error(foreign) == FORBIDDEN
    assert "Access-Control-Allow-Credentials" not in foreign.headers

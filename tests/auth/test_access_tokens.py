"""Access tokens are verified by signature and claims; the database is read for ended sessions."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app, db
from app.auth.access_tokens import LEEWAY, LIFETIME, AccessTokens
from app.config import Config
from app.errors import Unauthenticated
from app.values import Uuid
from tests.support.api_user import error

SECRET, OTHER_SECRET = "7d0e9b0c5a3f4e6182d4b6c8fa1e3957", "f00dcafe5a3f4e6182d4b6c8fa1e3957"
OWNER, SESSION = Uuid(str(UUID(int=1))), Uuid(str(UUID(int=2)))
# Another user's path: a token that passes verification leads to a 503 or 403, any other to a 401.
GUARDED = f"/api/{UUID(int=3)}/tasks"


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    return Config.from_env(
        {
            "APP_ENV": "test",
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
            "DATA_DIR": str(tmp_path),
            "JWT_SECRETS": f"test:{SECRET}",
            "RATE_LIMIT": "off",
        }
    )


@pytest.fixture
def tokens(settings: Config) -> AccessTokens:
    return AccessTokens(settings)


@pytest.fixture
def offline_client(settings: Config) -> Iterator[FlaskClient]:
    """A client of a service without a database: a request that needs a connection is a 503."""
    app = create_app(settings)
    yield app.test_client()
    db.close_pool()


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a valid token; None leaves one out."""
    now = int(time.time())
    valid = {
        "iss": "todo-api",
        "aud": "todo-api",
        "sub": str(OWNER),
        "sid": str(SESSION),
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + LIFETIME,
    }
    return {name: value for name, value in {**valid, **changes}.items() if value is not None}


def header(**changes: Any) -> dict[str, Any]:
    valid = {"alg": "HS256", "typ": "at+jwt", "kid": "test"}
    return {name: value for name, value in {**valid, **changes}.items() if value is not None}


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def sign(head: Any, body: Any, secret: str = SECRET) -> str:
    """A token of any header and claims, with a signature that is right for HS256."""
    signed = ".".join(encode(json.dumps(part).encode()) for part in (head, body))
    return f"{signed}.{encode(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def send(client: FlaskClient, token: str) -> TestResponse:
    return client.get(GUARDED, headers={"Authorization": f"Bearer {token}"})


def assert_refused(answer: TestResponse) -> None:
    assert error(answer) == (401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_valid_token_needs_the_database_for_its_session_only(
    offline_client: FlaskClient, tokens: AccessTokens
) -> None:
    for token in (tokens.issue(OWNER, SESSION), sign(header(), claims())):
        assert error(send(offline_client, token)) == (503, "UNAVAILABLE")


def test_without_a_token_the_challenge_names_no_error(offline_client: FlaskClient) -> None:
    answer = offline_client.get(GUARDED)
    assert error(answer) == (401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


HEADERS = {
    "alg none": header(alg="none"),
    "alg None": header(alg="None"),
    "alg NONE": header(alg="NONE"),
    "alg RS256": header(alg="RS256"),
    "alg HS512": header(alg="HS512"),
    "alg hs256": header(alg="hs256"),
    "no alg": header(alg=None),
    "alg a number": header(alg=256),
    "no kid": header(kid=None),
    "unknown kid": header(kid="other"),
    "kid a path": header(kid="../../../../dev/null"),
    "kid SQL": header(kid="test' UNION SELECT 'x"),
    "kid a number": header(kid=0),
    "kid null": {**header(), "kid": None},
    "kid a list": header(kid=["test"]),
    "kid empty": header(kid=""),
    "jku": header(jku="https://example.com/keys"),
    "jwk": header(jwk={"kty": "oct", "k": "AAAA"}),
    "x5u": header(x5u="https://example.com/certificate"),
    "x5c": header(x5c=["AAAA"]),
    "crit": header(crit=["exp"]),
    "b64": header(b64=False),
    "no typ": header(typ=None),
    "typ JWT": header(typ="JWT"),
    "typ a number": header(typ=1),
    "not an object": [],
}


@pytest.mark.parametrize("head", HEADERS.values(), ids=HEADERS)
def test_a_header_other_than_the_issued_one_is_refused(
    offline_client: FlaskClient, head: Any
) -> None:
    assert_refused(send(offline_client, sign(head, claims())))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_with_the_right_key_is_refused(
    offline_client: FlaskClient, algorithm: str
) -> None:
    key = SECRET * 2  # as long as these algorithms want it
    assert_refused(
        send(offline_client, jwt.encode(claims(), key, algorithm, header(alg=algorithm)))
    )


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE"])
def test_an_unsigned_token_is_refused(offline_client: FlaskClient, algorithm: str) -> None:
    head, body, _ = sign(header(alg=algorithm), claims()).split(".")
    for token in (f"{head}.{body}.", f"{head}.{body}"):
        assert_refused(send(offline_client, token))


NOW = int(time.time())
CLAIMS = {
    **{f"no {name}": claims(**{name: None}) for name in claims()},
    "another iss": claims(iss="somebody"),
    "iss a list": claims(iss=["todo-api"]),
    "another aud": claims(aud="somebody"),
    "aud a list": claims(aud=["todo-api", "somebody"]),
    "sub a number": claims(sub=1),
    "sub not a UUID": claims(sub="1"),
    "sub in upper case": claims(sub=str(UUID(int=2**128 - 1)).upper()),
    "sub with braces": claims(sub=f"{{{OWNER}}}"),
    "sid a number": claims(sid=2),
    "sid not a UUID": claims(sid="current"),
    "jti a number": claims(jti=3),
    "iat text": claims(iat=str(NOW)),
    "iat a fraction": claims(iat=NOW - 0.5),
    "iat true": claims(iat=True),
    "iat infinite": claims(iat=float("inf")),
    "iat not a number": claims(iat=float("nan")),
    "exp text": claims(exp=str(NOW + 900)),
    "exp a fraction": claims(exp=NOW + 900.5),
    "exp infinite": claims(exp=float("inf")),
    "exp not a number": claims(exp=float("nan")),
    "exp a list": claims(exp=[NOW + 900]),
    "expired": claims(exp=NOW - 600),
    "issued tomorrow": claims(iat=NOW + 86400, exp=NOW + 87300),
    "not valid yet": claims(nbf=NOW + 86400),
    "not an object": [],
}


@pytest.mark.parametrize("body", CLAIMS.values(), ids=CLAIMS)
def test_claims_that_are_missing_or_wrong_are_refused(
    offline_client: FlaskClient, body: Any
) -> None:
    assert_refused(send(offline_client, sign(header(), body)))


def test_clock_skew_is_accepted_up_to_the_leeway(tokens: AccessTokens) -> None:
    now = int(time.time())
    tokens.verify(sign(header(), claims(exp=now - LEEWAY + 3)))
    tokens.verify(sign(header(), claims(iat=now + LEEWAY - 1)))
    for off in (claims(exp=now - LEEWAY), claims(iat=now + LEEWAY + 3)):
        with pytest.raises(Unauthenticated):
            tokens.verify(sign(header(), off))
    assert LEEWAY <= 5


def test_a_cached_token_still_expires(
    tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tokens.issue(OWNER, SESSION)
    tokens.verify(token)
    expired_at = time.time() + LIFETIME + LEEWAY
    monkeypatch.setattr(time, "time", lambda: expired_at)
    with pytest.raises(Unauthenticated):
        tokens.verify(token)


def test_a_token_that_another_key_signed_is_refused(offline_client: FlaskClient) -> None:
    assert_refused(send(offline_client, sign(header(), claims(), OTHER_SECRET)))
    assert_refused(send(offline_client, sign(header(), claims(), "")))


def test_a_token_with_any_one_bit_changed_is_refused(tokens: AccessTokens) -> None:
    token = tokens.issue(OWNER, SESSION).encode()
    tokens.verify(token.decode())
    for position in range(len(token)):
        for bit in range(8):
            changed = bytearray(token)
            changed[position] ^= 1 << bit
            with pytest.raises(Unauthenticated):
                tokens.verify(changed.decode("latin-1"))


def test_a_truncated_or_extended_token_is_refused(tokens: AccessTokens) -> None:
    token = tokens.issue(OWNER, SESSION)
    for length in range(len(token)):
        with pytest.raises(Unauthenticated):
            tokens.verify(token[:length])
    for extra in ("=", "==", ".", " ", "A", "\n", "\x00"):
        with pytest.raises(Unauthenticated):
            tokens.verify(token + extra)
        with pytest.raises(Unauthenticated):
            tokens.verify(extra + token)


def test_a_huge_token_is_refused_at_once(offline_client: FlaskClient) -> None:
    token = sign(header(), claims(padding="x" * 48 * 1024))
    assert len(token) > 64 * 1024
    began = time.perf_counter()
    assert_refused(send(offline_client, token))
    assert time.perf_counter() - began < 0.5


def test_a_token_nested_6000_deep_is_refused(offline_client: FlaskClient) -> None:
    deep = b"[" * 6000 + b"]" * 6000
    body = encode(json.dumps(claims()).encode())
    for token in (f"{encode(deep)}.{body}.AAAA", f"{encode(b'{}')}.{encode(deep)}.AAAA"):
        assert_refused(send(offline_client, token))
    for depth in (300, 700):
        assert_refused(send(offline_client, f"{encode(b'[' * depth)}.{body}.AAAA"))


@pytest.mark.parametrize("text", ["\ud800", "\udfff.\ud800.x", "é", "🔑", "a.b.c", "..", "."])
def test_malformed_text_is_refused(tokens: AccessTokens, text: str) -> None:
    token = tokens.issue(OWNER, SESSION)
    for each in (text, text + token, token + text):
        with pytest.raises(Unauthenticated):
            tokens.verify(each)


def test_a_token_in_the_query_or_in_a_cookie_is_ignored(
    offline_client: FlaskClient, tokens: AccessTokens
) -> None:
    token = tokens.issue(OWNER, SESSION)
    offline_client.set_cookie("access_token", token)
    offline_client.set_cookie("Authorization", f"Bearer {token}")
    for name in ("access_token", "token", "jwt", "Authorization"):
        answer = offline_client.get(GUARDED, query_string={name: token})
        assert error(answer) == (401, "UNAUTHENTICATED")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_two_authorization_headers_are_refused(
    offline_client: FlaskClient, tokens: AccessTokens
) -> None:
    valid = f"Bearer {tokens.issue(OWNER, SESSION)}"
    for other in (valid, "Bearer x", "Basic dTpw"):
        for pair in ((valid, other), (other, valid)):
            answer = offline_client.get(GUARDED, headers=[("Authorization", each) for each in pair])
            assert_refused(answer)


@pytest.mark.proves("API-23")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
@pytest.mark.parametrize("blanks", [" ", "  ", " " * 50])
def test_the_scheme_is_read_in_any_case_and_before_any_blanks(
    offline_client: FlaskClient, tokens: AccessTokens, scheme: str, blanks: str
) -> None:
    header = f"{scheme}{blanks}{tokens.issue(OWNER, SESSION)}"
    answer = offline_client.get(GUARDED, headers={"Authorization": header})
    assert error(answer)[0] != 401


ENCODINGS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig"]


@pytest.mark.proves("AUTH-29")
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("part", [0, 1])
def test_header_and_claims_are_utf_8(offline_client: FlaskClient, encoding: str, part: int) -> None:
    encodings = ["utf-8", "utf-8"]
    assert error(send(offline_client, sign_encoded(encodings)))[0] != 401
    encodings[part] = encoding
    assert_refused(send(offline_client, sign_encoded(encodings)))


def sign_encoded(encodings: Sequence[str]) -> str:
    """A token of valid header and claims in these encodings."""
    texts = (json.dumps(header()), json.dumps(claims()))
    parts = [text.encode(encoding) for text, encoding in zip(texts, encodings, strict=True)]
    signed = ".".join(map(encode, parts))
    return f"{signed}.{encode(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"


@pytest.mark.proves("AUTH-29")
@pytest.mark.parametrize("name", ["sub", "sid"])
@pytest.mark.parametrize(
    "value", ["", "nobody", "ABCDEF00-0000-4000-8000-000000000000", f"{{{SESSION}}}", 1, [], {}]
)
def test_user_and_session_are_canonical_uuids(
    offline_client: FlaskClient, name: str, value: object
) -> None:
    assert_refused(send(offline_client, sign(header(), claims(**{name: value}))))


@pytest.mark.parametrize("scheme", ["Basic", "Token", "JWT", "Bearer:", ""])
def test_another_scheme_is_refused(
    offline_client: FlaskClient, tokens: AccessTokens, scheme: str
) -> None:
    token = tokens.issue(OWNER, SESSION)
    assert_refused(offline_client.get(GUARDED, headers={"Authorization": f"{scheme} {token}"}))
    assert_refused(offline_client.get(GUARDED, headers={"Authorization": token}))


def test_key_rotation_ends_no_session(settings: Config) -> None:
    before = AccessTokens(settings)
    during = AccessTokens(replace(settings, jwt_secrets={"new": OTHER_SECRET, "test": SECRET}))
    after = AccessTokens(replace(settings, jwt_secrets={"new": OTHER_SECRET}))
    old, new = before.issue(OWNER, SESSION), during.issue(OWNER, SESSION)
    assert jwt.get_unverified_header(new)["kid"] == "new"
    assert during.verify(old).session_id == SESSION
    assert during.verify(new).session_id == SESSION
    assert after.verify(new).session_id == SESSION
    with pytest.raises(Unauthenticated):
        after.verify(old)


def test_a_kid_selects_only_its_own_key(settings: Config) -> None:
    both = AccessTokens(replace(settings, jwt_secrets={"new": OTHER_SECRET, "test": SECRET}))
    with pytest.raises(Unauthenticated):
        both.verify(sign(header(kid="new"), claims(), SECRET))


def test_tokens_of_another_deployment_are_refused(settings: Config) -> None:
    token = AccessTokens(settings).issue(OWNER, SESSION)
    for other in (
        replace(settings, jwt_issuer="elsewhere"),
        replace(settings, jwt_audience="elsewhere"),
    ):
        with pytest.raises(Unauthenticated):
            AccessTokens(other).verify(token)


def test_the_cache_of_verified_tokens_is_bounded(
    tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.auth.access_tokens.CACHED", 10)
    for _ in range(25):
        tokens.verify(tokens.issue(OWNER, SESSION))
    assert len(tokens._verified) <= 10

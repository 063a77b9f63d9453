"""The application without some of its duties, for `make bench-duties` only: it checks no token.

LEFT_OUT names the duties. Their methods are replaced before the application is made.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jwt

from app.auth.access_tokens import AccessTokens
from app.auth.ended_sessions import EndedSessions
from app.observability.metrics import Metrics
from app.values import Identity, Uuid
from benchmarks import patches


@cache
def decode(token: str) -> Identity:
    """The identity that the token names; its signature is not verified."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return Identity(Uuid(claims["sub"]), Uuid(claims["sid"]))


METHODS: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "jwt": (AccessTokens, "verify", lambda _self, token: decode(token)),
    "sessions": (EndedSessions, "contains", lambda _self, _session_id: False),
    "metrics": (Metrics, "observe", lambda *_args: None),
}

for duty in patches.left_out():
    patches.replace(*METHODS[duty])

from wsgi import app  # noqa: E402, F401  # it makes the application

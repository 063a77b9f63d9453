"""The application without some of its duties: for `make bench-duties`, and never to be served.

LEFT_OUT names them, with commas between. Each method that stands for one is replaced before the
application is made, and leaves a file of the duty's name in DATA_DIR when it is called: a duty that
the service has moved to another place can't look as if it cost nothing.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jwt

from app.auth.revocations import Revocations
from app.auth.tokens import AccessTokens
from app.fields import Uuid
from app.operations.metrics import Metrics
from app.web import Identity


@cache
def believe(token: str) -> Identity:
    """Whose token it says it is."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return Identity(Uuid(claims["sub"]), Uuid(claims["sid"]))


METHODS: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "jwt": (AccessTokens, "verify", lambda _self, token: believe(token)),
    "sessions": (Revocations, "is_ended", lambda _self, _session_id: False),
    "metrics": (Metrics, "observe", lambda *_args: None),
}


def leave_out(duty: str) -> None:
    """Replaces the duty's method; AttributeError where there is none of that name."""
    owner, name, instead = METHODS[duty]
    trace, is_traced = Path(os.environ["DATA_DIR"]) / duty, False
    getattr(owner, name)

    def replaced(*arguments: Any) -> Any:
        nonlocal is_traced
        if not is_traced:
            is_traced = True
            trace.touch()
        return instead(*arguments)

    setattr(owner, name, replaced)


for each in filter(None, os.environ.get("LEFT_OUT", "").split(",")):
    leave_out(each)

from wsgi import app  # noqa: E402, F401  # it makes the application

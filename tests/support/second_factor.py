"""Second factors, set up through the API, and the codes that an authenticator app would show."""

import time
from dataclasses import dataclass

import pyotp
from werkzeug.test import TestResponse

from tests.support.api_user import PASSWORD, ApiUser, data
from tests.support.auth_rows import run

PATH = "/api/auth/second-factor"


@dataclass(frozen=True)
class Factor:
    """What a user keeps of a second factor."""

    secret: str
    uri: str
    recovery_codes: list[str]

    @property
    def code(self) -> str:
        """The code of this moment."""
        return self.code_at(0)

    @property
    def wrong_code(self) -> str:
        """A code that is not right for hours around this moment."""
        near = {self.code_at(steps) for steps in range(-400, 400)}
        return next(code for code in map("{:06}".format, range(1000)) if code not in near)

    def code_at(self, steps: int) -> str:
        """The code of so many steps from now."""
        return pyotp.TOTP(self.secret).at(time.time(), counter_offset=steps)


def set_up(user: ApiUser, password: str = PASSWORD) -> Factor:
    """A second factor that waits for its first code."""
    return Factor(**data(user.call("POST", PATH, json={"password": password})))


def confirm(user: ApiUser, code: str) -> TestResponse:
    """Sends the code that switches the second factor on."""
    return user.call("POST", f"{PATH}/confirm", json={"code": code})


def switch_on(user: ApiUser) -> Factor:
    """A second factor that is on; the code of this moment is used."""
    factor = set_up(user)
    assert data(confirm(user, factor.code))["has_second_factor"] is True
    return factor


def log_in(
    user: ApiUser, code: str | None = None, password: str = PASSWORD, address: str = "127.0.0.1"
) -> TestResponse:
    """Logs in with that code; None sends none."""
    body = {"email": user.email, "password": password}
    return user.client.post(
        "/api/auth/login",
        json=body if code is None else {**body, "code": code},
        environ_base={"REMOTE_ADDR": address},
    )


def forget_steps(database_url: str) -> None:
    """Makes codes that were used good again, as after a minute."""
    run(database_url, "UPDATE second_factors SET last_step = 0")

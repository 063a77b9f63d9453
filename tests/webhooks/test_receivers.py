"""The receivers of specs/webhooks.md, as a reader copies them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from app.webhooks.job import Delivering
from tests.support.api_user import ApiUser
from tests.support.processes import minimal_environment, until
from tests.support.server import ROOT
from tests.support.services import free_port, is_listening
from tests.support.webhooks import deliver, hook, make_due, read

SPECS = (ROOT / "specs" / "webhooks.md").read_text(encoding="utf-8")
PROGRAMS = {"python": (sys.executable, "-c"), "javascript": ("node", "-e")}


@pytest.mark.proves("HOOK-2")
@pytest.mark.parametrize("language", PROGRAMS)
def test_a_receiver_of_the_specification_takes_what_is_genuine_once(
    alice: ApiUser,
    job: Delivering,
    superuser: psycopg.Connection,
    tmp_path: Path,
    language: str,
) -> None:
    program, option = PROGRAMS[language]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (nodejs)")
    (code,) = re.findall(rf"```{language}\n(.+?)```", SPECS, re.DOTALL)
    port, output = free_port(), tmp_path / "output"
    webhook = hook(alice, f"http://127.0.0.1:{port}/")
    settings = {"PORT": str(port), "WEBHOOK_SECRET": webhook["secret"]}
    environment = {**minimal_environment(**settings), "PATH": os.environ["PATH"]}
    with (
        output.open("wb") as log,
        subprocess.Popen([program, option, code], env=environment, stdout=log, stderr=log) as other,
    ):
        try:
            until(lambda: is_listening(port))
            task = alice.create()
            assert deliver(job) == {"delivered": 1}, output.read_text()
            path = f"/api/me/webhooks/{webhook['id']}"
            alice.call("POST", f"{path}/replay", json={"since": task["version"] - 1})
            assert deliver(job) == {"delivered": 1}
            assert f"task.created {task['id']}" in output.read_text().splitlines()
            assert output.read_text().count("task.created") == 1
            alice.call("POST", f"{path}/rotate")
            superuser.execute(
                "UPDATE webhooks SET previous_secret = NULL, previous_secret_until = NULL"
            )
            alice.create()
            make_due(superuser)
            assert deliver(job) == {"failed": 1}
            assert read(alice, webhook)["failures"] == 1
        finally:
            other.kill()

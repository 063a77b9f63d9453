"""README.md and .env.example agree with the code."""

import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from app import devdb
from app.cli import COMMANDS
from app.config import Config
from tests.support import services
from tests.support.processes import minimal_environment
from tests.support.server import ROOT, Server

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
CONSOLE = re.compile(r"^```console\n(.+?)^```$", re.MULTILINE | re.DOTALL)
SETTING = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| .*\|$", re.MULTILINE)
VARIABLES = {name.upper() for name in Config.__dataclass_fields__} - {"BCRYPT_COST"}
KEY = "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957"
KEYS = {"JWT_SECRETS": KEY, "ENCRYPTION_KEYS": KEY}
ANYTHING = "…"
END = "--- end of one command ---"
ADDRESS = "http://127.0.0.1:8000"


def tour() -> list[tuple[str, str]]:
    """The commands of the README's console blocks, each with the output below it."""
    steps: list[tuple[str, str]] = []
    for block in CONSOLE.findall(README):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line.removeprefix("$ "), ""))
            else:
                command, output = steps[-1]
                steps[-1] = command, f"{output}{line}\n"
    return steps


def matches(output: str, documented: str) -> bool:
    """Whether the output is the documented one, in which ANYTHING is a wildcard."""
    pattern = re.escape(documented.strip()).replace(ANYTHING, r'[^"\n]+')
    return re.fullmatch(pattern, output.strip()) is not None


@pytest.mark.proves("RUN-10")
def test_the_commands_of_the_readme_have_the_documented_output(
    server: Server, tmp_path: Path
) -> None:
    services.program("curl")
    steps = tour()
    assert len(steps) > 10
    assert sum(bool(documented) for _, documented in steps) > 6
    script = "\n".join(f"{command}\necho; echo '{END}'" for command, _ in steps)
    assert ADDRESS in script
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(ADDRESS, server.url)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    outputs = run.stdout.split(END)
    for (command, documented), output in zip(steps, outputs[:-1], strict=True):
        assert matches(output, documented), f"{command}\nprints\n{output}\nnot\n{documented}"
    assert list(tmp_path.iterdir()) == []


def settings(tmp_path: Path, **environ: str) -> Config:
    return Config.from_env({"DATA_DIR": str(tmp_path), **KEYS, **environ})


@pytest.mark.proves("RUN-4")
def test_the_table_of_settings_is_complete_and_in_order() -> None:
    assert [name for name, _ in SETTING.findall(README)] == [
        name for name in (field.upper() for field in Config.__dataclass_fields__)
        if name in VARIABLES
    ]  # fmt: skip


@pytest.mark.proves("RUN-4")
@pytest.mark.parametrize(
    ("name", "default"),
    [(name, cell.strip("`")) for name, cell in SETTING.findall(README) if cell[0] == "`"],
)
def test_a_default_in_the_table_is_that_of_the_code(
    tmp_path: Path, name: str, default: str
) -> None:
    environ = dict(KEYS)
    if name != "DATA_DIR":
        environ["DATA_DIR"] = str(tmp_path)
    assert Config.from_env({**environ, name: default}) == Config.from_env(environ)


@pytest.mark.proves("RUN-4")
@pytest.mark.parametrize("app_env", ["development", "test", "staging", "production"])
def test_the_default_of_log_format_depends_on_app_env_as_documented(
    tmp_path: Path, app_env: str
) -> None:
    (documented,) = (default for name, default in SETTING.findall(README) if name == "LOG_FORMAT")
    otherwise, _, exception = documented.partition(", ")
    form, _, named = exception.partition(" in ")
    url = "postgresql://ann@db.example.com/ownrow"
    config = settings(tmp_path, APP_ENV=app_env, DATABASE_URL=url)
    assert config.log_format == (form if app_env in named.split(" and ") else otherwise)


def test_env_example_has_every_setting_with_a_valid_value_except_the_keys(
    tmp_path: Path,
) -> None:
    lines = re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE)
    assert {name for name, _ in lines} == VARIABLES
    given = dict(lines)
    given["DATA_DIR"] = str(tmp_path)
    for name in KEYS:
        key_id, _, secret = given[name].partition(":")
        # test_config.py tests that it is refused
        assert secret.startswith("0123456789abcdef-replace-me")
        given[name] = f"{key_id}:{KEY.partition(':')[2]}"
    config = settings(tmp_path, **given)
    assert config.jwt_secrets.keys() == config.encryption_keys.keys() == {"2026-11"}


def test_every_line_of_env_example_is_a_comment() -> None:
    assert not re.findall(r"^[^#\n]", EXAMPLE, re.MULTILINE)


SHORTER = {
    "audit": ["--no-plans"], "seed": ["--users", "2", "--tasks", "4"], "worker": ["--once"],
    "events": ["--help"], "db distribute": ["--help"],
}  # fmt: skip


@pytest.mark.parametrize("command", re.findall(r"^\| `flask (.+?)` \|", README, re.MULTILINE))
def test_every_documented_flask_command_succeeds(
    database_url: str, tmp_path: Path, command: str
) -> None:
    words = command.split()
    environ = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path)}
    status, output = services.flask(
        environ, *words, *SHORTER.get(command, SHORTER.get(words[0], []))
    )
    assert status == 0, output


def test_every_flask_command_is_documented() -> None:
    documented = re.findall(r"^\| `flask (\w+)", README, re.MULTILINE)
    assert set(documented) == set(COMMANDS)


@pytest.mark.parametrize("name", ["ownrow", "my ownrow"])
def test_the_documented_database_url_of_make_run_works(used_data_dir: Path, name: str) -> None:
    (command,) = re.findall(r"^    (DATABASE_URL=.+flask.+)$", README, re.MULTILINE)
    checkout = used_data_dir / name
    checkout.mkdir()
    for link, target in {
        ".data": used_data_dir,
        ".venv": Path(sys.prefix),
        **{each: ROOT / each for each in ("app", "migrations", "specs", "sql", "wsgi.py")},
    }.items():
        (checkout / link).symlink_to(target)
    with devdb.start(used_data_dir) as server:
        with psycopg.connect(server.url()) as connection:
            connection.execute(
                "INSERT INTO users (id, email, email_key) VALUES"
                " (gen_random_uuid(), 'ann@example.com', 'ann@example.com')"
            )
        run = subprocess.run(
            ["bash", "-c", command],
            cwd=checkout,
            env=minimal_environment(PWD=str(checkout)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    assert "ann@example.com" in run.stdout


def test_the_documented_pip_options_are_those_of_the_image() -> None:
    (options,) = re.findall(r"`pip install (.+) -r requirements.txt`", README)
    assert f"{options} -r /build/requirements.txt" in (ROOT / "Dockerfile").read_text()


def test_every_make_target_is_documented_for_contributors() -> None:
    targets = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    explained = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [name for name in targets if f"`make {name}`" not in explained] == ["help"]


def test_every_file_linked_in_the_readme_exists() -> None:
    for path in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / path).is_file()

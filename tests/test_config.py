"""Settings are read from the environment or files and validated; errors contain no secret."""

import logging
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.config import Config, ConfigError
from app.db.errors import cause
from app.observability.logs import error_message, message
from tests.support.processes import children, minimal_environment, until
from tests.support.server import ROOT, Server
from tests.support.services import free_port, is_listening

SECRET = "7d0e9b0c5a3f4e6182d4b6c8fa1e3957"
KEYS = ("JWT_SECRETS", "ENCRYPTION_KEYS")
URL = "postgresql://me:hidden-password@db.example.com:5432/todo"


def read(tmp_path: Path, **environ: str) -> Config:
    keys = dict.fromkeys(KEYS, f"one:{SECRET}")
    return Config.from_env({"DATA_DIR": str(tmp_path), **keys, **environ})


def mistakes(tmp_path: Path, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as found:
        read(tmp_path, **environ)
    assert str(found.value) == "\n".join(found.value.mistakes)
    return found.value.mistakes


GOOD: list[tuple[str, str, Any]] = [
    ("APP_ENV", "test", "test"),
    ("DATABASE_URL", URL, URL),
    ("DATABASE_URL", "postgres://db/todo", "postgres://db/todo"),
    ("DATABASE_URL", "postgresql://h1:1,h2:2/x?target_session_attrs=read-write",
     "postgresql://h1:1,h2:2/x?target_session_attrs=read-write"),
    ("DATABASE_URL", "postgresql://me@/x?host=%2Frun&sslmode=prefer&keepalives=1",
     "postgresql://me@/x?host=%2Frun&sslmode=prefer&keepalives=1"),
    ("DATABASE_URL", "postgresql://me:p%40ss%2Fw%25@h/x", "postgresql://me:p%40ss%2Fw%25@h/x"),
    ("MIGRATION_DATABASE_URL", URL, URL),
    ("DB_PREPARE", "off", False),
    ("DB_ROW_SECURITY", "on", True),
    ("DB_POOL_SIZE", "1000", 1000),
    ("DB_STATEMENT_TIMEOUT_MS", "100", 100),
    ("DB_GROUP_COMMIT", "off", False),
    ("JWT_ISSUER", "https://todo.example.com", "https://todo.example.com"),
    ("JWT_AUDIENCE", "ä", "ä"),
    ("HOST", "::1", "::1"),
    ("PORT", "65535", 65535),
    ("WEB_CONCURRENCY", "1", 1),
    ("WEB_THREADS", "256", 256),
    ("FORWARDED_ALLOW_IPS", "10.0.0.1, 2001:db8::/32", ("10.0.0.1/32", "2001:db8::/32")),
    ("ALLOWED_HOSTS", "Todo.Example.com,.internal", ("todo.example.com", ".internal")),
    ("RATE_LIMIT", "off", None),
    ("RATE_LIMIT", "5/second", "5/second"),
    ("RATE_LIMIT_STORAGE_URL", "redis://cache:6379/1", "redis://cache:6379/1"),
    ("RATE_LIMIT_STORAGE_URL", "valkey+unix:///run/valkey.sock", "valkey+unix:///run/valkey.sock"),
    ("PUBLIC_URL", "HTTPS://Todo.Example.com:443", "https://todo.example.com"),
    ("PUBLIC_URL", "http://localhost:8000", "http://localhost:8000"),
    ("SMTP_URL", "smtp://localhost", "smtp://localhost"),
    ("SMTP_URL", "smtp://u%40h:p%2F%25@mail.example.com:2525?starttls=required",
     "smtp://u%40h:p%2F%25@mail.example.com:2525?starttls=required"),
    ("SMTP_URL", "smtps://u:p@[2001:db8::1]/", "smtps://u:p@[2001:db8::1]/"),
    ("EMAIL_VERIFICATION", "required", "required"),
    ("MAIL_FROM", "todo@example.com", "todo@example.com"),
    ("MAIL_FROM", "Größe <todo@example.com>", "Größe <todo@example.com>"),
    ("WORKER_PORT", "8001", 8001),
    ("TRASH_DAYS", "30", 30),
    ("EVENTS_PORT", "8002", 8002),
    ("EVENTS_SOCKET", "/run/ownrow/events.sock", Path("/run/ownrow/events.sock")),
    ("WEBHOOK_ALLOW", "10.0.0.0/8, 127.0.0.1/32,::1", ("10.0.0.0/8", "127.0.0.1/32", "::1/128")),
    ("METRICS_TOKEN", "x" * 16, "x" * 16),
    ("CORS_ORIGINS", "https://a.example, http://localhost:3000",
     ("https://a.example", "http://localhost:3000")),
    ("CORS_ORIGINS", "HTTPS://A.Example,https://b.example:443,http://c.example:8080,HTTP://[::1]:80",
     ("https://a.example", "https://b.example", "http://c.example:8080", "http://[::1]")),
    ("LOG_LEVEL", "debug", "debug"),
    ("LOG_FORMAT", "json", "json"),
    ("SENTRY_DSN", "https://key@sentry.example.com/1", "https://key@sentry.example.com/1"),
]  # fmt: skip

BAD = [
    ("APP_ENV", "prod"),
    ("DATABASE_URL", "mysql://db/todo"),
    ("DATABASE_URL", "db.example.com"),
    ("MIGRATION_DATABASE_URL", "sqlite:///x"),
    ("DB_PREPARE", "true"),
    ("DB_ROW_SECURITY", "1"),
    ("DB_POOL_SIZE", "0"),
    ("DB_POOL_SIZE", "٣"),
    ("DB_STATEMENT_TIMEOUT_MS", "2s"),
    ("DB_GROUP_COMMIT", "yes"),
    ("JWT_ISSUER", "\n"),
    ("JWT_AUDIENCE", " "),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "80.0"),
    ("WEB_CONCURRENCY", "-1"),
    ("WEB_THREADS", "many"),
    ("FORWARDED_ALLOW_IPS", "*"),
    ("FORWARDED_ALLOW_IPS", "10.0.0.1/8"),
    ("ALLOWED_HOSTS", "https://todo.example.com"),
    ("RATE_LIMIT", "600"),
    ("RATE_LIMIT", "0/minute"),
    ("RATE_LIMIT_STORAGE_URL", "memcached://x"),
    ("RATE_LIMIT_STORAGE_URL", "redis"),
    ("RATE_LIMIT_STORAGE_URL", "redis://cache:x"),
    ("PUBLIC_URL", "todo.example.com"),
    ("PUBLIC_URL", "https://todo.example.com/app"),
    ("SMTP_URL", "mail.example.com:587"),
    ("SMTP_URL", "smtp://mail.example.com?starttls=no"),
    ("EMAIL_VERIFICATION", "on"),
    ("WEBHOOK_ALLOW", "10.0.0.0/33"),
    ("WEBHOOK_ALLOW", "localhost"),
    ("MAIL_FROM", "todo"),
    ("MAIL_FROM", "a@example.com, b@example.com"),
    ("MAIL_FROM", "Ownrow <todo@example.com>\nBcc: eve@example.com"),
    ("WORKER_PORT", "0"),
    ("TRASH_DAYS", "0"),
    ("EVENTS_PORT", "0"),
    ("EVENTS_SOCKET", "/" + "x" * 107),
    ("METRICS_TOKEN", "short"),
    ("METRICS_TOKEN", "with a space in it, and long"),
    ("CORS_ORIGINS", "*"),
    ("CORS_ORIGINS", "https://a.example/"),
    ("LOG_LEVEL", "INFO"),
    ("LOG_FORMAT", "xml"),
    ("SENTRY_DSN", "sentry"),
    ("SENTRY_DSN", "https://sentry.example.com/1"),
    ("SENTRY_DSN", "https://key@sentry.example.com"),
]


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_a_valid_setting_is_accepted(tmp_path: Path, name: str, text: str, value: Any) -> None:
    assert getattr(read(tmp_path, **{name: text}), name.lower()) == value


@pytest.mark.proves("RUN-1")
@pytest.mark.parametrize(("name", "text"), BAD)
def test_an_invalid_setting_is_reported_with_its_rule(tmp_path: Path, name: str, text: str) -> None:
    (mistake,) = mistakes(tmp_path, **{name: text})
    assert mistake.startswith(name)
    assert "must" in mistake


def test_every_setting_has_a_test_case() -> None:
    tested = {name for name, _, _ in GOOD} | {"DATA_DIR", *KEYS, "BCRYPT_COST"}
    assert tested == {name.upper() for name in Config.__dataclass_fields__}


@pytest.mark.proves("RUN-1")
def test_all_invalid_settings_are_reported_together(tmp_path: Path) -> None:
    wrong = dict(BAD)
    found = mistakes(tmp_path, **wrong, JWT_SECRETS="one:short")
    assert len(found) == len(wrong) + 1
    for name in [*wrong, "JWT_SECRETS"]:
        assert any(mistake.startswith(name) for mistake in found)


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    assert read(tmp_path, PORT="", METRICS_TOKEN="", DATABASE_URL="") == read(tmp_path)


def test_migration_database_url_defaults_to_database_url(tmp_path: Path) -> None:
    assert read(tmp_path, DATABASE_URL=URL).migration_database_url == URL


# --- files --------------------------------------------------------------------------------------


@pytest.mark.proves("RUN-2")
def test_a_setting_is_read_from_the_file_in_its_file_variable(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"{URL}\n")
    assert read(tmp_path, DATABASE_URL_FILE=str(file)).database_url == URL


@pytest.mark.proves("RUN-2")
def test_a_setting_with_a_value_and_a_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "port"
    file.write_text("8001")
    assert "PORT and PORT_FILE" in mistakes(tmp_path, PORT="8000", PORT_FILE=str(file))[0]


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for file, reason in (
        (tmp_path / "missing", "No such file"),
        (tmp_path, "Is a directory"),
        (binary, "not UTF-8"),
    ):
        (mistake,) = mistakes(tmp_path, PORT_FILE=str(file))
        assert mistake.startswith("PORT_FILE can't be read")
        assert reason in mistake


# --- secrets ------------------------------------------------------------------------------------


def test_the_repr_of_a_configuration_has_no_secrets(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        DATABASE_URL=URL,
        MIGRATION_DATABASE_URL=URL,
        METRICS_TOKEN="a-token-to-be-hidden",
        SENTRY_DSN="https://hidden@sentry.example.com/1",
        RATE_LIMIT_STORAGE_URL="redis://:hidden@cache",
        SMTP_URL="smtp://ownrow:hidden@mail.example.com",
    )
    for shown in (repr(config), str(config), f"{config}"):
        assert "hidden" not in shown
        assert SECRET not in shown


@pytest.mark.proves("RUN-1")
@pytest.mark.parametrize("name", ["DATABASE_URL", *KEYS, "METRICS_TOKEN", "SENTRY_DSN",
                                  "RATE_LIMIT_STORAGE_URL", "SMTP_URL"])  # fmt: skip
def test_an_error_message_has_no_secrets(tmp_path: Path, name: str) -> None:
    assert "pa55 word" not in "\n".join(mistakes(tmp_path, **{name: "x:pa55 word"}))
    assert "pa55" not in "\n".join(mistakes(tmp_path, **{name: "redis://:pa55\u2100@cache:x"}))


CANARY = "Hunter2"
# Each has the canary in another part, or breaks the URL in another way.
MALFORMED = {
    "DATABASE_URL": [
        "{0}", "{0}://u:p@h/x", "postgresql:{0}", "postgresql://u:{0}%zz@127.0.0.1:1/x",
        "postgresql://u:{0}%@h/x", "postgresql://{0}%zz@h/x", "postgresql://u:p@h%zz{0}/x",
        "postgresql://u:p@h/{0}%zz", "postgresql://u:p@h:{0}/x", "postgresql://u:p@h:99999/{0}",
        "postgresql://u:pass@{0}@h/x", "postgresql://u:{0}/y@h/x", "postgresql://u:12/{0}@h/x",
        "postgresql://u:{0}@[::1/x", "postgresql://u:{0}@h/x?{0}=1", "postgresql://u:{0}@h/x?{0}",
        "postgresql://u:p@h/x?sslmode={0}", "postgresql://u:p@h/x?connect_timeout={0}",
        "postgresql://u:p@h/x?keepalives={0}", "postgresql://u:p@h/x?target_session_attrs={0}",
        "postgresql://u:p@h/x?port={0}", "postgresql://u@/{0}?host=h1,h2&port=1,2,3",
        "postgresql://u:{0}%00@h/x", "postgresql://u:p@h/x?service={0}",
    ],
    "RATE_LIMIT_STORAGE_URL": [
        "{0}", "{0}://cache", "redis:{0}", "redis://:{0}", "redis://:p@cache:{0}",
        "redis://:p@cache:99999999/{0}", "redis://:pass@{0}@cache", "redis://:{0}/y@cache",
        "redis://:12/{0}@cache", "redis://:{0}@[::1", "redis://:p@cache/{0}",
        "redis://:p@cache/0?{0}=1", "redis://:p@cache/0?db={0}", "valkey://c?socket_timeout={0}",
        "redis://c?max_connections={0}", "rediss://c?ssl_cert_reqs={0}", "redis://c?protocol={0}",
        "redis+unix:///{0}?db=x", "valkey://:{0}\u2100@cache:x", "rediss://:{0}@[cache]",
        "memory://{0}",
    ],
    "SENTRY_DSN": [
        "{0}", "{0}://key@h/1", "https:{0}", "https://{0}/1", "https://{0}@h", "https://{0}@h/",
        "https://key@h/{0}", "https://@{0}/1", "https://:{0}@h/1", "https://{0}@/1",
        "https://{0}@h:port/1", "https://key@h:{0}/1", "https://{0}@h:99999/1",
        "https://{0}@[::1/1", "https://{0}@[h]/1", "https://key:{0}@h/x", "ftp://{0}@h/1",
        "//{0}@h/1", "https://{0}\u2100@h/1", "https://{0}@h/path/", "https://{0}@h?1",
    ],
    "CORS_ORIGINS": [
        "{0}", "{0}://a.example", "https:{0}", "https://a.example/{0}", "https://a.example?{0}",
        "https://a.example#{0}", "https://me:{0}@a.example", "https://{0}@a.example",
        "https://a.example:{0}", "https://{0}:99999", "https://[{0}", "https://[{0}]",
        "https://{0}\u2100", "https://{0} b", "https://{0}%20", "https://a.example,{0}",
        "https://{0}*", "https://*.{0}", "ftp://{0}", "//{0}", "https://{0}\\",
    ],
    "PUBLIC_URL": [
        "{0}", "{0}://a.example", "https:{0}", "https://a.example/{0}", "https://a.example?{0}",
        "https://a.example#{0}", "https://me:{0}@a.example", "https://{0}@a.example",
        "https://a.example:{0}", "https://{0}:99999", "https://[{0}", "https://[{0}]",
        "https://{0}\u2100", "https://{0} b", "https://{0}%20", "https://a.example,{0}",
        "https://{0}*", "https://*.{0}", "ftp://{0}", "//{0}", "https://{0}\\",
    ],
    "SMTP_URL": [
        "{0}", "{0}://mail", "smtp:{0}", "smtp://u:{0}%zz@mail", "smtp://u:{0}%@mail",
        "smtp://{0}%zz:p@mail", "smtp://u:{0}%ff@mail", "smtp://u:{0}%0a@mail", "smtp://u:p@mail/{0}",
        "smtp://u:p@mail:{0}", "smtp://u:p@mail:99999/{0}", "smtp://u:pass@{0}@mail",
        "smtp://u:{0}/y@mail", "smtp://u:12/{0}@mail", "smtp://u:{0}@[::1", "smtp://{0}@mail",
        "smtp://u:p@mail?{0}", "smtp://u:p@mail?starttls={0}", "smtp://u:p@mail?{0}=required",
        "smtp://u:p@mail#{0}", "smtp://u:{0}\u2100@mail:x", "smtp://:{0}@mail", "smtps://u:{0}@",
        "smtps://u:{0}@mail:0", "smtp://u:{0}%C3%A9@mail", "smtp://u:{0}@mail..example",
        "smtps://u:{0}@ma il", "SMTPX://u:{0}@mail",
    ],
}  # fmt: skip
MALFORMED["MIGRATION_DATABASE_URL"] = MALFORMED["DATABASE_URL"]


@pytest.mark.proves("RUN-5")
@pytest.mark.parametrize("name", sorted(MALFORMED))
def test_a_malformed_address_is_a_mistake_that_quotes_no_part_of_it(
    tmp_path: Path, name: str
) -> None:
    assert len(MALFORMED[name]) >= 20
    for text in MALFORMED[name]:
        (mistake,) = mistakes(tmp_path, **{name: text.format(CANARY)})
        assert mistake.startswith(f"{name} must"), text
        assert CANARY.lower() not in mistake.lower(), text


@pytest.mark.proves("RUN-5")
def test_every_setting_that_holds_an_address_is_tested() -> None:
    named = {name for name, text, _ in GOOD if "://" in text and name != "JWT_ISSUER"}
    assert named == set(MALFORMED)


@pytest.mark.proves("RUN-5")
@pytest.mark.parametrize("name", sorted(MALFORMED))
def test_an_address_in_place_of_a_file_is_not_quoted(tmp_path: Path, name: str) -> None:
    (mistake,) = mistakes(tmp_path, **{f"{name}_FILE": f"postgresql://u:{CANARY}@h/x"})
    assert mistake.startswith(f"{name}_FILE can't be read (No such file")
    assert CANARY not in mistake


PROGRAMS = {
    "gunicorn": ["gunicorn", "wsgi:app"],
    "launcher": ["app.serving"],
    "flask db status": ["flask", "--app", "wsgi", "db", "status"],
    "flask doctor": ["flask", "--app", "wsgi", "doctor"],
    "flask audit": ["flask", "--app", "wsgi", "audit", "--no-plans"],
    "make run": ["app.devdb.run"],
    "make backup": ["app.devdb.backup", "backup"],
}


@pytest.mark.proves("RUN-5")
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_every_program_stops_at_malformed_addresses_and_quotes_none(
    tmp_path: Path, program: list[str]
) -> None:
    wrong = {name: texts[3].format(CANARY) for name, texts in MALFORMED.items()}
    done = start(tmp_path, program, **wrong)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in output
    assert CANARY.lower() not in output.lower()
    for name in wrong:
        assert f"{name} must" in output


@pytest.mark.proves("RUN-5")
@pytest.mark.parametrize("text", MALFORMED["DATABASE_URL"])
def test_the_cause_of_a_failed_connection_quotes_no_part_of_its_url(text: str) -> None:
    for url in (text, text.replace("{0}%", "{0}%25")):
        with pytest.raises(psycopg.Error) as failed:
            psycopg.connect(url.format(CANARY), connect_timeout=1).close()
        record = logging.LogRecord("", 30, "", 1, "error connecting: %s", (failed.value,), None)
        for shown in (cause(failed.value), error_message(failed.value), message(record)):
            assert CANARY.lower() not in shown.lower()


@pytest.mark.proves("RUN-5")
@pytest.mark.parametrize("program", ["flask db status", "flask doctor", "flask audit", "make run"])
def test_a_database_that_is_away_is_reported_without_its_address(
    tmp_path: Path, program: str
) -> None:
    url = f"postgresql://{CANARY}:{CANARY}@127.0.0.1:1/{CANARY}"
    port = str(free_port())
    done = start(tmp_path, PROGRAMS[program], DATABASE_URL=url, PORT=port)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "the connection is refused" in output
    assert "Traceback" not in output
    assert CANARY not in output


@pytest.mark.proves("RUN-7")
@pytest.mark.parametrize("program", ["launcher", "flask doctor", "make run"])
def test_variables_that_gunicorn_reads_itself_are_reported_with_the_others(
    tmp_path: Path, program: str
) -> None:
    wrong = {"WEB_CONCURRENCY": "many", "FORWARDED_ALLOW_IPS": "proxy", "PORT": "http"}
    done = start(tmp_path, PROGRAMS[program], LOG_LEVEL="loud", **wrong)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    for name in (*wrong, "LOG_LEVEL"):
        assert f"{name} must be" in done.stdout + done.stderr


@pytest.mark.proves("RUN-7", "RUN-80")
def test_the_launcher_becomes_gunicorn_whatever_the_spelling_of_its_variables(
    tmp_path: Path,
) -> None:
    spelling = {"WEB_CONCURRENCY": "", "FORWARDED_ALLOW_IPS": " 127.0.0.1 , 10.0.0.0/8, "}
    empty = dict.fromkeys(("PORT", "HOST", "DATABASE_URL_FILE", "LOG_FORMAT"), "")
    port = str(free_port())
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.serving", "--bind", f"127.0.0.1:{port}"],
            cwd=ROOT,
            env=minimal_environment(DATA_DIR=str(tmp_path), **empty, **spelling),
            stderr=log,
        )
    server = Server("127.0.0.1", int(port), process, tmp_path / "log")
    try:
        until(lambda: is_listening(int(port)) or process.poll() is not None)
        assert server.request("GET", "/livez").status == 200
        until(lambda: len(children(process.pid)) == (os.cpu_count() or 1) + 1)
    finally:
        process.terminate()
        assert process.wait(30) == 0, server.log.read_text()


def test_image_and_readme_start_the_launcher() -> None:
    assert 'CMD ["python", "-m", "app.serving"]' in (ROOT / "Dockerfile").read_text()
    assert "Serve: `python -m app.serving`" in (ROOT / "README.md").read_text(encoding="utf-8")


def start(tmp_path: Path, program: list[str], **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs a module to its end, with these settings."""
    return subprocess.run(
        [sys.executable, "-m", *program],
        cwd=ROOT,
        env=minimal_environment(DATA_DIR=str(tmp_path), **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.proves("RUN-3")
@pytest.mark.parametrize("name", KEYS)
def test_a_key_without_kid_is_an_error_that_does_not_contain_it(tmp_path: Path, name: str) -> None:
    (mistake,) = mistakes(tmp_path, **{name: SECRET})
    assert "kid:secret" in mistake
    assert SECRET not in mistake


@pytest.mark.proves("RUN-3")
@pytest.mark.parametrize("name", KEYS)
def test_keys_from_the_documentation_are_refused(tmp_path: Path, name: str) -> None:
    example = (ROOT / ".env.example").read_text()
    (printed,) = re.findall(rf"^#{name}=(.+)$", example, re.MULTILINE)
    advised = mistakes(tmp_path, APP_ENV="staging", **{name: ""})[0].rpartition(f"{name}=")[2]
    for value in (printed, advised):
        (mistake,) = mistakes(tmp_path, **{name: value})
        assert "well known" in mistake


@pytest.mark.proves("RUN-1")
def test_a_data_directory_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (mistake,) = mistakes(tmp_path, DATA_DIR=str(tmp_path / "file"), JWT_SECRETS="")
    assert mistake.startswith("DATA_DIR")


@pytest.mark.proves("RUN-3")
@pytest.mark.parametrize(
    "value",
    [
        "one:short",
        "one:" + "a" * 64,
        "one:change-me" + SECRET,
        SECRET,
        ":" + SECRET,
        "a b:" + SECRET,
        f"one:{SECRET},one:{SECRET[::-1]}",
        ",",
        f"one:{SECRET},two:short",
    ],
)
@pytest.mark.parametrize("name", KEYS)
def test_a_weak_or_malformed_key_is_an_error(tmp_path: Path, name: str, value: str) -> None:
    assert any(each.startswith(name) for each in mistakes(tmp_path, **{name: value}))


@pytest.mark.parametrize("name", KEYS)
def test_keys_keep_their_order(tmp_path: Path, name: str) -> None:
    config = read(tmp_path, **{name: f"new:{SECRET},old:{SECRET[::-1]}"})
    keys = getattr(config, name.lower())
    assert list(keys.items()) == [("new", SECRET), ("old", SECRET[::-1])]


@pytest.mark.proves("RUN-3")
def test_production_requires_a_database_and_keys(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as found:
        Config.from_env({"APP_ENV": "production", "DATA_DIR": str(tmp_path / "data")})
    assert sorted(mistake.split()[0] for mistake in found.value.mistakes) == [
        "DATABASE_URL",
        "ENCRYPTION_KEYS",
        "JWT_SECRETS",
    ]
    assert not (tmp_path / "data").exists()


@pytest.mark.proves("RUN-3", "AUTH-166")
def test_production_requires_a_mail_server_where_verification_is_required(tmp_path: Path) -> None:
    required = {"EMAIL_VERIFICATION": "required"}
    (mistake,) = mistakes(tmp_path, APP_ENV="production", DATABASE_URL=URL, **required)
    assert mistake.startswith("SMTP_URL must be set")
    assert read(tmp_path, **required).email_verification == "required"
    assert read(tmp_path).email_verification == "optional"


@pytest.mark.proves("RUN-3", "MAIL-8")
def test_production_requires_a_sender_and_an_address_where_mail_is_sent(tmp_path: Path) -> None:
    production = {"APP_ENV": "production", "DATABASE_URL": URL}
    found = mistakes(tmp_path, SMTP_URL="smtp://mail.example.com", **production)
    assert [mistake.split()[0] for mistake in found] == ["PUBLIC_URL", "MAIL_FROM"]
    read(
        tmp_path,
        SMTP_URL="smtp://mail.example.com",
        PUBLIC_URL="https://todo.example.com",
        MAIL_FROM="todo@example.com",
        **production,
    )


def test_public_url_is_this_machine_by_default(tmp_path: Path) -> None:
    assert read(tmp_path, PORT="8001").public_url == "http://127.0.0.1:8001"


def test_development_keys_are_created_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    environ = {"DATA_DIR": str(tmp_path / "data")}
    first, second = Config.from_env(environ), Config.from_env(environ)
    other = Config.from_env({"DATA_DIR": str(tmp_path / "other")})
    for name, file in (("jwt_secrets", "jwt"), ("encryption_keys", "encryption")):
        assert getattr(first, name) == getattr(second, name) != getattr(other, name)
        kept = tmp_path / "data" / f"{file}.secret"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert first.jwt_secrets != first.encryption_keys


@pytest.mark.proves("RUN-1")
@pytest.mark.parametrize(
    "program",
    [["-m", "gunicorn", "wsgi:app"], ["-m", "app.serving"],
     ["-m", "flask", "--app", "wsgi", "db", "status"], ["-m", "app.devdb.run"]],
    ids=["gunicorn", "launcher", "flask", "make run"],
)  # fmt: skip
def test_every_program_reports_invalid_settings_and_exits(
    tmp_path: Path, program: list[str]
) -> None:
    environ = {**os.environ, "DATA_DIR": str(tmp_path), "PORT": "x", "LOG_LEVEL": "loud"}
    run = subprocess.run(
        [sys.executable, *program],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert "PORT must be" in output
    assert "LOG_LEVEL must be" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("environ", "connections"),
    [
        ({"WEB_CONCURRENCY": "2"}, 20),
        ({"WEB_CONCURRENCY": "2", "WEB_THREADS": "3"}, 3),
        ({"WEB_CONCURRENCY": "32"}, 2),
        ({"WEB_CONCURRENCY": "200"}, 1),
        ({"WEB_CONCURRENCY": "200", "DB_POOL_SIZE": "2"}, 2),
    ],
)
def test_the_default_pool_size_limits_the_connections_of_all_workers_together(
    tmp_path: Path, environ: dict[str, str], connections: int
) -> None:
    assert read(tmp_path, **environ).db_pool_size == connections

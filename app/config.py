"""The settings, read once from the environment; every mistake in it is reported at once."""

import contextlib
import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.policy import SMTP
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

T = TypeVar("T")

MOST_CONNECTIONS = 80  # of all workers by default; PostgreSQL's own default is 100
ENVIRONMENTS = ("development", "test", "staging", "production")
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("console", "json")
LIMIT_STORES = ("redis", "rediss", "redis+unix", "valkey", "valkeys", "valkey+unix")
DEFAULT_PORTS = {"http": 80, "https": 443}
SMTP_PORTS = {"smtp": 587, "smtps": 465}
STARTTLS = "starttls=required"
MAIL_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
MAIL_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
)
# Options of libpq that are whole numbers; it reads some of them only after it has connected.
NUMBERS = (
    "connect_timeout", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval",
    "tcp_user_timeout",
)  # fmt: skip
ENCODED = "with @ as %40, / as %2F and % as %25 in user name and password"
SECRET_BYTES = 32
LONGEST_SOCKET = 107  # bytes of the address of a Unix socket
# Parts of what is printed in places like .env.example, and in the advice below.
KNOWN_SECRETS = (
    "change-me", "changeme", "replace-me", "secret", "your-256-bit", "example", "openssl",
)  # fmt: skip
RATE = re.compile(r"[1-9][0-9]{0,6}/(second|minute|hour|day)")
ORIGIN_HOST = re.compile(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ConfigError(Exception):
    """What is wrong with the environment, one mistake and its fix per line."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True)
class Config:
    """Every setting of the service; the field's name in capitals is its variable."""

    app_env: str
    database_url: str | None = field(repr=False)
    migration_database_url: str | None = field(repr=False)
    data_dir: Path
    db_prepare: bool
    db_row_security: bool
    db_pool_size: int
    db_statement_timeout_ms: int
    db_group_commit: bool
    jwt_secrets: Mapping[str, str] = field(repr=False)
    jwt_issuer: str
    jwt_audience: str
    encryption_keys: Mapping[str, str] = field(repr=False)
    host: str
    port: int
    web_concurrency: int
    web_threads: int
    forwarded_allow_ips: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    rate_limit: str | None
    rate_limit_storage_url: str = field(repr=False)
    public_url: str
    smtp_url: str | None = field(repr=False)
    mail_from: str
    email_verification: str
    worker_port: int | None
    events_port: int | None
    events_socket: Path | None
    webhook_allow: tuple[str, ...]
    trash_days: int | None
    metrics_token: str | None = field(repr=False)
    cors_origins: tuple[str, ...]
    log_level: str
    log_format: str
    sentry_dsn: str | None = field(repr=False)
    bcrypt_cost: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Config":
        """Reads and checks all settings; raises ConfigError with every mistake found."""
        env = _Reader(environ)
        app_env = env.get("APP_ENV", "development", _one_of(ENVIRONMENTS))
        production = app_env in ("staging", "production")
        data_dir = env.get("DATA_DIR", ".data", Path)
        workers = env.get("WEB_CONCURRENCY", str((os.cpu_count() or 1) + 1), _integer(1, 256))
        threads = env.get("WEB_THREADS", "20", _integer(1, 256))
        connections = min(threads, max(1, MOST_CONNECTIONS // workers))
        database_url = env.optional("DATABASE_URL", _postgresql_url)
        if app_env == "production" and database_url is None:
            env.mistake("DATABASE_URL", "must be set in production", "postgresql://user@host/name")
        port = env.get("PORT", "8000", _integer(1, 65535))
        config = cls(
            app_env=app_env,
            database_url=database_url,
            migration_database_url=env.optional("MIGRATION_DATABASE_URL", _postgresql_url)
            or database_url,
            data_dir=data_dir,
            db_prepare=env.get("DB_PREPARE", "on", _switch),
            db_row_security=env.get("DB_ROW_SECURITY", "off", _switch),
            db_pool_size=env.get("DB_POOL_SIZE", str(connections), _integer(1, 1000)),
            db_statement_timeout_ms=env.get(
                "DB_STATEMENT_TIMEOUT_MS", "2000", _integer(100, 60000)
            ),
            db_group_commit=env.get("DB_GROUP_COMMIT", "on", _switch),
            jwt_secrets=_keys(env, "JWT_SECRETS", production, data_dir / "jwt.secret"),
            jwt_issuer=env.get("JWT_ISSUER", "todo-api", _text),
            jwt_audience=env.get("JWT_AUDIENCE", "todo-api", _text),
            encryption_keys=_keys(
                env, "ENCRYPTION_KEYS", production, data_dir / "encryption.secret"
            ),
            host=env.get("HOST", "127.0.0.1", _text),
            port=port,
            web_concurrency=workers,
            web_threads=threads,
            forwarded_allow_ips=env.get("FORWARDED_ALLOW_IPS", "", _networks, "10.0.0.0/8"),
            allowed_hosts=env.get("ALLOWED_HOSTS", "", _hosts, "todo.example.com"),
            rate_limit=env.get("RATE_LIMIT", "600/minute", _rate),
            rate_limit_storage_url=env.get("RATE_LIMIT_STORAGE_URL", "memory://", _limit_storage),
            public_url=env.optional("PUBLIC_URL", _public_url) or f"http://127.0.0.1:{port}",
            smtp_url=_smtp_url(env, production),
            mail_from=env.get("MAIL_FROM", "ownrow@localhost", _mail_from),
            email_verification=_email_verification(env, production),
            worker_port=env.optional("WORKER_PORT", _integer(1, 65535)),
            events_port=env.optional("EVENTS_PORT", _integer(1, 65535)),
            events_socket=_events_socket(env, production, data_dir),
            webhook_allow=env.get("WEBHOOK_ALLOW", "", _networks, "10.0.0.0/8,127.0.0.1/32"),
            trash_days=env.optional("TRASH_DAYS", _integer(1, 36500)),
            metrics_token=env.optional("METRICS_TOKEN", _token),
            cors_origins=env.get("CORS_ORIGINS", "", _origins, "https://todo.example.com"),
            log_level=env.get("LOG_LEVEL", "info", _one_of(LOG_LEVELS)),
            log_format=env.get(
                "LOG_FORMAT", "json" if production else "console", _one_of(LOG_FORMATS)
            ),
            sentry_dsn=env.optional("SENTRY_DSN", _dsn),
            bcrypt_cost=4 if app_env == "test" else 12,
        )
        if env.mistakes:
            raise ConfigError(env.mistakes)
        return config


class _Reader:
    """Looks variables up, also as NAME_FILE, and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.mistakes: list[str] = []

    def mistake(self, name: str, problem: str, example: str) -> None:
        self.mistakes.append(f"{name} {problem}; for example {name}={example}")

    def raw(self, name: str) -> str | None:
        value, file = self._environ.get(name), self._environ.get(f"{name}_FILE")
        if value and file:
            self.mistakes.append(f"{name} and {name}_FILE are both set; unset one of them")
        if not file:
            return value or None
        try:
            return Path(file).read_text(encoding="utf-8").strip() or None
        except (OSError, ValueError) as error:  # its path may be the secret, by mistake
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self.mistakes.append(
                f"{name}_FILE can't be read ({reason}); name a file, and let this user read it"
            )
            return None

    def get(self, name: str, default: str, parse: Callable[[str], T], example: str = "") -> T:
        value = self.raw(name)
        try:
            return parse(default if value is None else value)
        except ValueError as error:
            self.mistake(name, str(error), example or default)
            return parse(default)

    def optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        value = self.raw(name)
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            self.mistakes.append(f"{name} {error}")
            return None


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return parse


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return parse


def _switch(value: str) -> bool:
    if value not in ("on", "off"):
        raise ValueError("must be on or off")
    return value == "on"


def _text(value: str) -> str:
    if not value.isprintable() or not value.strip():
        raise ValueError("must be printable text")
    return value


def _token(value: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{16,256}", value):
        raise ValueError("must be 16 to 256 printable ASCII characters without spaces")
    return value


def _rate(value: str) -> str | None:
    if value == "off":
        return None
    if not RATE.fullmatch(value):
        raise ValueError("must be off or a number per second, minute, hour or day")
    return value


def _limit_storage(value: str) -> str:
    parts = _url(value)
    if value != "memory://" and (parts.scheme not in LIMIT_STORES or not parts.netloc + parts.path):
        raise ValueError("must be memory:// or a redis://, rediss:// or valkey:// address")
    if value != "memory://":
        _check_redis_url(value)
    return value


def redis_url(value: str) -> str:
    """RATE_LIMIT_STORAGE_URL in the spelling of the redis package, which calls a Valkey Redis."""
    scheme, _, place = value.partition("://")
    return f"{scheme.replace('valkey', 'redis').removeprefix('redis+')}://{place}"


def _check_redis_url(value: str) -> None:
    """Has the redis package make a connection that it does not open."""
    from redis import ConnectionPool  # 0.1 s, which most starts need not wait

    parts = _url(value)
    has_number = parts.scheme.endswith("+unix") or re.fullmatch("/?[0-9]*", parts.path)
    try:
        ConnectionPool.from_url(redis_url(value)).make_connection()
        is_usable = has_number and not _has_stray_at(value)
    except Exception:  # noqa: BLE001  # of the package, which quotes the address
        is_usable = False
    if not is_usable:
        raise ValueError(
            "must be an address such as redis://:password@host:6379/0, with options that the "
            "redis package knows, and " + ENCODED
        )


def _postgresql_url(value: str) -> str:
    if not value.startswith(("postgresql://", "postgres://")):
        raise ValueError(
            "must begin with postgresql://; for example postgresql://user@host:5432/name"
        )
    try:
        is_usable = not _has_stray_at(value) and _libpq_accepts(value)
    except psycopg.Error:  # it quotes the address
        is_usable = False
    if not is_usable:
        raise ValueError(
            "must be an address such as postgresql://user:password@host:5432/name, with options "
            "that libpq knows, and " + ENCODED
        )
    return value


def _libpq_accepts(value: str) -> bool:
    """Whether libpq can read the address and its options; it connects to nothing."""
    options = {name: str(text) for name, text in conninfo_to_dict(value).items()}
    if not all(text.isprintable() for text in options.values()):
        return False
    ports, hosts = options.get("port", "").split(","), options.get("host", "").split(",")
    if len(ports) not in (1, len(hosts)) or not all(map(_is_port, ports)):
        return False
    if not all(re.fullmatch(r"-?[0-9]{1,9}", options.get(name, "0")) for name in NUMBERS):
        return False
    # libpq checks every other option before it looks for this socket, where there is none.
    nowhere = make_conninfo(value, host="/", hostaddr="", port="1")
    attempt = pq.PGconn.connect_start(nowhere.encode())
    message = attempt.error_message
    attempt.finish()
    return b".s.PGSQL.1" in message


def _is_port(text: str) -> bool:
    return not text or (bool(re.fullmatch(r"[0-9]{1,5}", text)) and 0 < int(text) < 65536)


def _has_stray_at(value: str) -> bool:
    """Whether a password that is not percent-encoded may have become a part of another name."""
    before_options = value.partition("://")[2].partition("?")[0]
    authority, _, path = before_options.partition("/")
    return authority.count("@") > 1 or "@" in path


def _dsn(value: str) -> str:
    from sentry_sdk.utils import Dsn

    try:
        Dsn(value)
        _url(value)
    except Exception:  # noqa: BLE001  # of the package, which quotes the address
        raise ValueError("must be a DSN such as https://key@sentry.example.com/1") from None
    return value


def _url(value: str) -> SplitResult:
    """An address in its parts, its port among them, which is read when it is asked for."""
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018
    except ValueError:  # it would tell the address, with what is secret in it
        raise ValueError("must be an address whose host and port can be read") from None
    return parts


def _items(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


def _networks(value: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(item)) for item in _items(value))
    except ValueError as error:
        raise ValueError("must be addresses or networks with commas between") from error


def _hosts(value: str) -> tuple[str, ...]:
    if not all(re.fullmatch(r"\.?[A-Za-z0-9.\[\]:-]+", item) for item in _items(value)):
        raise ValueError("must be host names with commas between them")
    return tuple(item.lower() for item in _items(value))


def _origins(value: str) -> tuple[str, ...]:
    return tuple(map(_origin, _items(value)))


def _origin(item: str) -> str:
    """An origin as browsers send it: in lower case, without the scheme's default port."""
    text = item.lower()
    parts = _url(text)
    is_origin = ORIGIN_HOST.fullmatch(parts.netloc) and f"{parts.scheme}://{parts.netloc}" == text
    if parts.scheme not in DEFAULT_PORTS or not is_origin:
        raise ValueError("must be origins such as https://todo.example.com with commas between")
    return text.removesuffix(f":{DEFAULT_PORTS[parts.scheme]}")


def _public_url(value: str) -> str:
    try:
        return _origin(value)
    except ValueError:
        raise ValueError(
            "must be an address such as https://todo.example.com, without a path"
        ) from None


class SmtpAddress(NamedTuple):
    """What SMTP_URL says; `uses_tls` is TLS from the first byte, as in smtps://."""

    host: str
    port: int
    user: str
    password: str
    uses_tls: bool
    requires_starttls: bool


def smtp_address(value: str) -> SmtpAddress:
    """The parts of SMTP_URL; raises ValueError, which quotes none."""
    parts = _url(value)
    host, login = parts.hostname or "", parts.netloc.rpartition("@")[0]
    user, _, password = login.partition(":")
    is_usable = (
        value.startswith(tuple(f"{scheme}://" for scheme in SMTP_PORTS))
        and (MAIL_HOST.fullmatch(host) or _is_address(host))
        and parts.port != 0
        and bool(user) == bool(password)
        and all(map(_is_percent_encoded, (user, password)))
        and not _has_stray_at(value)
        and parts.path in ("", "/")
        and parts.query in ("", STARTTLS)
        and not parts.fragment
    )
    if not is_usable:
        raise ValueError(
            f"must be an address such as smtp://user:password@host:587?{STARTTLS} or "
            f"smtps://user:password@host, {ENCODED}"
        )
    return SmtpAddress(
        host=host,
        port=parts.port or SMTP_PORTS[parts.scheme],
        user=unquote(user),
        password=unquote(password),
        uses_tls=parts.scheme == "smtps",
        requires_starttls=parts.query == STARTTLS,
    )


def _is_percent_encoded(text: str) -> bool:
    """Whether each % begins the code of a character, and all are visible ASCII, as smtplib asks."""
    return "%" not in re.sub("%[0-9A-Fa-f]{2}", "", text) and (
        unquote(text).isascii() and unquote(text).isprintable()
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _checked_smtp_url(value: str) -> str:
    smtp_address(value)
    return value


def _smtp_url(env: _Reader, production: bool) -> str | None:
    """In production the sender and the links of mails must have been thought of."""
    value = env.optional("SMTP_URL", _checked_smtp_url)
    if value is not None and production:
        for name, example in (
            ("PUBLIC_URL", "https://todo.example.com"),
            ("MAIL_FROM", "Ownrow <todo@example.com>"),
        ):
            if env.raw(name) is None:
                env.mistake(name, "must be set where SMTP_URL is", example)
    return value


def _email_verification(env: _Reader, production: bool) -> str:
    """Without mail nobody could do what is required."""
    choice = env.get("EMAIL_VERIFICATION", "optional", _one_of(("optional", "required")))
    if choice == "required" and production and env.raw("SMTP_URL") is None:
        env.mistake(
            "SMTP_URL", "must be set where EMAIL_VERIFICATION is required", "smtp://localhost"
        )
    return choice


def _events_socket(env: _Reader, production: bool, data_dir: Path) -> Path | None:
    """In production an operator decides whether connections are handed over at all."""
    given = env.optional("EVENTS_SOCKET", _socket_path)
    if given is not None or production:
        return given
    return socket_below(data_dir)


def socket_below(data_dir: Path) -> Path | None:
    """The socket of event streams in that directory; None where its path would be too long."""
    try:
        return _socket_path(str(data_dir / "events.sock"))
    except ValueError:
        return None


def _socket_path(value: str) -> Path:
    if len(os.fsencode(value)) > LONGEST_SOCKET or not value.isprintable():
        raise ValueError(
            f"must be a path of at most {LONGEST_SOCKET} bytes, such as /run/ownrow/events.sock"
        )
    return Path(value)


def _mail_from(value: str) -> str:
    mail_sender(value)
    return value


def mail_sender(value: str) -> Address:
    """MAIL_FROM as an address, with or without a name before it; raises ValueError."""
    problem = "must be an address such as todo@example.com or Ownrow <todo@example.com>"
    if not value.isprintable():
        raise ValueError(problem)
    header = SMTP.header_factory("from", value)
    addresses: tuple[Address, ...] = header.addresses
    if header.defects or len(addresses) != 1 or not MAIL_ADDRESS.fullmatch(addresses[0].addr_spec):
        raise ValueError(problem)
    return addresses[0]


def _keys(env: _Reader, name: str, production: bool, kept: Path) -> Mapping[str, str]:
    """Secret keys by their id, the current one first; `kept` is the file of development's key."""
    value = env.raw(name)
    if value is None and production:
        env.mistake(name, "must be set", "2026-11:<output of: openssl rand -hex 32>")
        return {}
    if value is None:
        try:
            return {"development": _kept_secret(kept)}
        except OSError as error:
            problem = f"DATA_DIR={kept.parent} can't be used ({error}); choose another one"
            if problem not in env.mistakes:
                env.mistakes.append(problem)
            return {}
    return _parsed_keys(env, name, value)


def _parsed_keys(env: _Reader, name: str, value: str) -> Mapping[str, str]:
    pairs = [item.partition(":")[::2] for item in _items(value)]
    for key_id, secret in pairs:
        if not secret or not KEY_ID.fullmatch(key_id):  # with no colon, the kid is the secret
            env.mistakes.append(f"{name} must be kid:secret[,kid:secret] with short plain kids")
        elif len(secret.encode()) < SECRET_BYTES or _well_known(secret):
            env.mistakes.append(
                f"{name}: the secret of {key_id} is too short or well known; "
                f"use at least {SECRET_BYTES} random bytes: openssl rand -hex 32"
            )
    if len({key_id for key_id, _ in pairs}) < len(pairs) or not pairs:
        env.mistakes.append(f"{name} must name each kid once, and at least one")
    return dict(pairs)


def _well_known(secret: str) -> bool:
    return len(set(secret)) < 8 or any(word in secret.lower() for word in KNOWN_SECRETS)


def _kept_secret(file: Path) -> str:
    """The development key: made on first use, then read back, so that tokens outlive a restart."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, encoding="ascii") as made:
        made.write(secrets.token_hex(SECRET_BYTES))
        made.flush()
        with contextlib.suppress(FileExistsError):  # another process was first: its key holds
            os.link(made.name, file)
    return file.read_text(encoding="ascii")

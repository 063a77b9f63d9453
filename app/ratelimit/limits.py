"""Rate limits: requests per user, or per client address without a token, in fixed windows."""

import logging
import time
import zlib
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Protocol

from flask import Flask
from limits import parse

from app.config import Config, redis_url
from app.errors import Forbidden, InsufficientScope, RateLimited, Unauthenticated
from app.http.proxy import client_network
from app.http.request import current_request
from app.ratelimit import shared_counters
from app.values import Identity

STORE_TIMEOUT = 0.1  # seconds that a request waits for the store
LIMITED = ("/api", "/feeds", "/mcp")  # the beginnings of paths
RETRY_INTERVAL = 1.0  # seconds between attempts to use a store that failed

log = logging.getLogger(__name__)


class Store(Protocol):
    """A counter of requests, as the limits library has it."""

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """The exceptions that it raises while it is away."""

    def incr(self, key: str, expiry: int) -> int:
        """Adds one; returns the count since the key expired last, after `expiry` seconds."""


class RateLimits:
    """Fixed windows of one length, counted in a store that all workers may share.

    The windows of different keys begin at different times.
    """

    def __init__(self, rate: str, store: Store, clock: Callable[[], float] = time.time) -> None:
        item = parse(rate)
        self._quota, self._window = item.amount, item.get_expiry()
        self._policy = f"q={self._quota};w={self._window}"
        self._store, self._clock = store, clock
        self._retry_at = 0.0

    def headers(self, partition: str, key: str) -> dict[str, str]:
        """Counts a request; returns its RateLimit headers, none while the store is away.

        Raises RateLimited where the key's quota is used up.
        """
        second = int(self._clock()) + _offset(key, self._window)
        index, elapsed = divmod(second, self._window)
        used = self._count(f"ownrow:{key}:{index}")
        if used is None:
            return {}
        reset = self._window - elapsed
        headers = {
            "RateLimit-Policy": f'"{partition}";{self._policy}',
            "RateLimit": f'"{partition}";r={max(0, self._quota - used)};t={reset}',
        }
        if used > self._quota:
            raise RateLimited(reset, headers)
        return headers

    def _count(self, key: str) -> int | None:
        """The requests in the window, this one included; None while the store is away."""
        was_away = self._retry_at > 0
        if was_away:
            if time.monotonic() < self._retry_at:
                return None
            self._retry_at = time.monotonic() + RETRY_INTERVAL
        try:
            used = self._store.incr(key, self._window)
        except self._store.base_exceptions as error:
            self._retry_at = time.monotonic() + RETRY_INTERVAL
            if not was_away:
                log.warning("rate limits are off: the store is away (%s)", type(error).__name__)
            return None
        if was_away:
            self._retry_at = 0.0
            log.warning("rate limits are on again: the store is back")
        return used


@lru_cache(10_000)
def _offset(key: str, window: int) -> int:
    return zlib.crc32(key.encode()) % window


def register(app: Flask, config: Config) -> None:
    """Limits the registered blueprints below LIMITED, behind their own hooks."""
    if config.rate_limit is None:
        return
    use_store(app, config)

    def count(identity: Identity | None) -> None:
        limits: RateLimits = app.extensions["rate_limits"]
        request = current_request()
        if identity is None:
            counted = "address", client_network(request.remote_addr)
        else:
            counted = "user", identity.owner_id
        request.rate_limit_headers = limits.headers(*counted)

    def count_request() -> None:
        count(current_request().identity)

    for name, blueprint in app.blueprints.items():
        if (blueprint.url_prefix or "").startswith(LIMITED):
            hooks = [_counted(hook, count) for hook in app.before_request_funcs.get(name, ())]
            app.before_request_funcs[name] = [*hooks, count_request]


def use_store(app: Flask, config: Config) -> None:
    """Has the requests counted anew, in the store of RATE_LIMIT_STORAGE_URL."""
    if config.rate_limit is not None:
        store = open_store(config.rate_limit_storage_url)
        app.extensions["rate_limits"] = RateLimits(config.rate_limit, store)


def _counted(
    hook: Callable[[], Any], count: Callable[[Identity | None], None]
) -> Callable[[], Any]:
    """The hook; a request that it refuses counts, too.

    One that it does not authenticate counts for its address: the user of its token may not know of
    it. One whose API token lacks a scope counts for the token's user.
    """

    @wraps(hook)
    def run() -> Any:
        try:
            return hook()
        except (Unauthenticated, Forbidden):
            count(None)
            raise
        except InsufficientScope:
            count(current_request().identity)
            raise

    return run


def open_store(url: str) -> Store:
    """The store at `url`, which connects at its first use."""
    if url == "memory://":
        return shared_counters.in_memory()
    from limits.storage import RedisStorage
    from redis import ConnectionPool
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    pool = ConnectionPool.from_url(
        redis_url(url),
        socket_timeout=STORE_TIMEOUT,
        socket_connect_timeout=STORE_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    return RedisStorage("redis://", connection_pool=pool)

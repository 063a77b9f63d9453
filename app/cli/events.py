"""`flask events`: holds event streams, until a signal ends it."""

import asyncio
import logging
import resource
from contextlib import ExitStack
from dataclasses import replace
from time import monotonic
from typing import cast

import click
from flask import current_app
from flask.cli import with_appcontext
from prometheus_client import Gauge

from app import db
from app.cli.connection import settings
from app.config import Config
from app.events.repository import list_versions
from app.events.server import THREADS, EventServer, sockets
from app.events.streams import Streams
from app.observability.metrics import Metrics
from app.ratelimit import limits, shared_counters

log = logging.getLogger(__name__)


@click.command()
@with_appcontext
def events() -> None:
    """Serve event streams on EVENTS_PORT, and those handed over to EVENTS_SOCKET.

    SIGTERM and Ctrl-C end all streams and the process, with exit status 0.
    """
    config = settings()
    if config.database_url is None:
        raise click.ClickException("Set DATABASE_URL to the service's database.")
    if config.events_port is None and config.events_socket is None:
        raise click.ClickException(
            "Set EVENTS_PORT, for a proxy that leads /api/*/events there, or EVENTS_SOCKET, the "
            "same one for the server, which hands such requests over."
        )
    _raise_descriptor_limit()
    db.configure(replace(config, db_pool_size=THREADS + 1), application_name="ownrow events")
    shared_counters.share()
    limits.use_store(current_app, config)
    try:
        _serve(config)
    finally:
        db.close_pool()


def _serve(config: Config) -> None:
    streams = Streams()
    server = EventServer(current_app.wsgi_app, streams, list_versions, config.cors_origins)
    _measure(server)
    with ExitStack() as stack:
        try:
            listening = sockets(stack, config.host, config.events_port, config.events_socket)
        except OSError as error:
            raise click.ClickException(
                f"Can't listen on EVENTS_PORT or EVENTS_SOCKET ({error.strerror}): "
                "choose other ones."
            ) from error
        asyncio.run(server.serve(*listening))


def _measure(server: EventServer) -> None:
    """Adds the numbers of streams to the metrics, which are those of this process alone."""
    metrics = cast("Metrics", current_app.extensions["metrics"])
    metrics.serve_alone()
    Gauge(
        "ownrow_open_streams", "Event streams that are open.", registry=metrics.registry
    ).set_function(lambda: len(server.streams))
    Gauge(
        "ownrow_streams_lag_seconds",
        "Time since event streams were last known to be up to date.",
        registry=metrics.registry,
    ).set_function(lambda: monotonic() - server.looked_at)


def _raise_descriptor_limit() -> None:
    """Each stream takes a descriptor; most systems allow more than they give."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

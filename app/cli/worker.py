"""`flask worker`: does what becomes due, until a signal ends it."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import click
from flask.cli import with_appcontext

from app import db
from app.auth.encryption import Encryption
from app.auth.mailed_links import MailedLinks
from app.auth.reset_requests import ResetRequests
from app.auth.secrets import Secrets
from app.cli.connection import settings
from app.cli.purging import Purging
from app.config import Config
from app.imports.job import Importing
from app.mail.delivery import Delivery
from app.mail.messages import Messages
from app.mail.transports import MailLog, Transport, smtp_of
from app.reminders.job import Reminding
from app.webhooks.job import Delivering
from app.webhooks.receivers import networks
from app.webhooks.sending import Sender
from app.worker.health import HealthServer
from app.worker.heartbeat import Heartbeat
from app.worker.jobs import Job
from app.worker.loop import Loop
from app.worker.state import State

TURNS = 8  # connections for the threads that deliver to webhooks: they mostly wait for receivers

log = logging.getLogger(__name__)


def jobs(config: Config) -> tuple[Job, ...]:
    """Everything that a worker does."""
    messages = Messages(config.public_url)
    links = MailedLinks(messages, list(config.jwt_secrets.values()))
    secrets = Secrets(Encryption(config.encryption_keys), "webhook")
    sender = Sender(networks(config.webhook_allow))
    work: list[Job] = [
        Reminding(messages),
        ResetRequests(links),
        Delivery(transport(config), links),
        Delivering(sender, secrets, messages),
        Importing(),
    ]
    if config.trash_days is not None:
        work.append(Purging(config.trash_days))
    return tuple(work)


def transport(config: Config) -> Transport:
    """How mail leaves; raises ClickException in production without SMTP_URL."""
    smtp = smtp_of(config)
    if smtp is not None:
        return smtp
    if config.app_env in ("staging", "production"):
        raise click.ClickException(
            "No mail can be sent: set SMTP_URL, for example to smtp://user:password@host:587"
        )
    return MailLog(config.log_format)


@click.command()
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
@with_appcontext
def worker(*, once: bool) -> None:
    """Fire reminders, send mail, deliver to webhooks, import files, and purge by TRASH_DAYS.

    Any number of workers may run. SIGTERM and Ctrl-C end it after the steps in hand, with exit
    status 0.
    """
    config = settings()
    if config.database_url is None:
        raise click.ClickException("Set DATABASE_URL to the service's database.")
    work = jobs(config)
    state = State([job.name for job in work])
    run(config, [*work, Heartbeat(state)], state, once=once)


def run(config: Config, work: Sequence[Job], state: State, *, once: bool) -> None:
    """Runs the loop, beside the health server where WORKER_PORT is set."""
    connections = len(work) + TURNS  # each job uses one at a time, and turns of webhooks the rest
    db.configure(replace(config, db_pool_size=connections), application_name="ownrow worker")
    loop = Loop(work, state)
    try:
        with _health(config, state):
            log.info("worker: started")
            if once:
                loop.run_until_idle()
            else:
                loop.run_forever()
            log.info("worker: ended")
    finally:
        db.close_pool()


@contextmanager
def _health(config: Config, state: State) -> Iterator[None]:
    port = config.worker_port
    if port is None:
        yield
        return
    try:
        server = HealthServer(state, config.host, port, config.metrics_token)
    except OSError as error:
        raise click.ClickException(
            f"Can't listen on WORKER_PORT {port} ({error.strerror}): choose another one."
        ) from error
    with server:
        yield

"""gunicorn's configuration: one line of reason per choice."""

import os
import select
import shutil
import sys
from logging.config import dictConfig
from pathlib import Path

from gunicorn.glogging import Logger

from app import factory  # noqa: F401  # imported before the fork: workers share its memory
from app.config import Config, ConfigError
from app.observability import logs, metrics, sentry
from app.ratelimit import shared_counters

try:
    settings = Config.from_env(os.environ)
except ConfigError as error:
    sys.exit(f"The environment has mistakes:\n{error}")

has_epoll = hasattr(select, "epoll")
if has_epoll:
    from app.serving import worker as fast

bind = f"[{settings.host}]:{settings.port}"  # the brackets let HOST be an IPv6 address
workers = settings.web_concurrency  # one more than CPUs: waiting for a GIL leaves them idle
threads = settings.web_threads  # statements that wait together are one group commit
worker_class = "app.serving.worker.FastWorker" if has_epoll else "gthread"
keepalive = 75  # longer than nginx's 60 s, so that nginx is the one to close
timeout = 30  # also what a request has to arrive in
limit_request_line = 8190  # a cursor that holds a title, next to a search for 200 characters
graceful_timeout = 25  # ends before a container runtime's usual 30 s do
control_socket_disable = True  # two instances would use the same one
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # heartbeats off the disk
forwarded_allow_ips = ",".join(settings.forwarded_allow_ips)
forwarder_headers = ""  # else a client behind a proxy could set SCRIPT_NAME and PATH_INFO
proc_name = "ownrow"
shared_counters.share()  # workers count rate limits together


class Log(Logger):
    """gunicorn's own messages, in the format of all others."""

    def setup(self, cfg):
        """Replaces gunicorn's handlers by the service's."""
        super().setup(cfg)
        dictConfig(logs.settings(settings))


loglevel = settings.log_level
logger_class = Log  # logconfig_dict would add an access log


def on_reload(server):
    """The workers of before serve until the new ones do."""
    if has_epoll:
        fast.begin_reload()


def pre_fork(server, worker):
    """A new worker continues the metrics of one that has ended."""
    metrics.directory()
    worker.slot = metrics.free_slot(each.slot for each in server.WORKERS.values())
    worker.cors_origins = settings.cors_origins  # for what the worker answers itself
    worker.events_socket = settings.events_socket


def post_fork(server, worker):
    """Before the application, and with it its metrics, is made."""
    metrics.use_slot(worker.slot)


def post_worker_init(worker):
    """Scrapes find the pool's numbers of each worker."""
    metrics.watch_pool(worker.wsgi.extensions["metrics"])


def worker_exit(server, worker):
    """Reports to Sentry leave before the process ends."""
    if worker.wsgi is not None:  # it may have ended before it was made
        sentry.flush(worker.wsgi)


def child_exit(server, worker):
    """A worker that has ended has no connections and no clients."""
    metrics.leave_slot(worker.slot)
    if has_epoll:
        fast.leave(worker.slot)


def on_exit(server):
    """The metrics end with the service."""
    shutil.rmtree(metrics.directory(), ignore_errors=True)

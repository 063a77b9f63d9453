"""How gunicorn serves: one line of reason per choice."""

import os
import shutil
import sys
from logging.config import dictConfig
from pathlib import Path

from gunicorn.glogging import Logger

from app import assembly, db  # noqa: F401  # imported once for all workers, who share its pages
from app.config import Config, ConfigError
from app.operations import counters, logs, metrics, tracking  # noqa: F401  # workers share the counters
from app.server import begin_reload, leave

try:
    settings = Config.from_env(os.environ)
except ConfigError as error:
    sys.exit(f"The environment has mistakes:\n{error}")

bind = f"[{settings.host}]:{settings.port}"  # the brackets let HOST be an IPv6 address
workers = settings.web_concurrency  # one more than CPUs: waiting for a GIL leaves them idle
threads = settings.web_threads  # what waits together goes to PostgreSQL together
worker_class = "app.server.EnvelopeWorker"  # gthread's, less than half of its CPU per request
keepalive = 75  # longer than nginx's 60 s, so that nginx is the one to close
timeout = 30  # also what a request has to arrive in
limit_request_line = 8190  # a cursor that holds a title, next to a search for other long words
graceful_timeout = 25  # ends before a container runtime's usual 30 s do
control_socket_disable = True  # two instances would take it from each other
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # heartbeats off the disk
forwarded_allow_ips = ",".join(settings.forwarded_allow_ips)
proc_name = "ownrow"


class Log(Logger):
    """gunicorn's own messages, in the format of all others."""

    def setup(self, cfg):
        super().setup(cfg)
        dictConfig(logs.settings(settings))


loglevel = settings.log_level
logger_class = Log  # logconfig_dict would bring an access log with it


def on_reload(server):
    """The workers of before serve until the new ones do."""
    begin_reload()


def pre_fork(server, worker):
    """A new worker goes on with the numbers of one that is gone."""
    metrics.directory()
    worker.slot = metrics.free_slot(each.slot for each in server.WORKERS.values())


def post_fork(server, worker):
    """Before the application, and with it the numbers, is made."""
    metrics.use_slot(worker.slot)


def post_worker_init(worker):
    """Connections belong to the process that opened them."""
    db.open_pool()
    metrics.watch_pool(worker.wsgi.extensions["metrics"])


def worker_exit(server, worker):
    """The pool's threads would hold the interpreter's end up, 5 s each."""
    db.close_pool()
    if worker.wsgi is not None:  # it may not have come that far
        tracking.flush(worker.wsgi)


def child_exit(server, worker):
    """A worker that is gone has no connections and no clients."""
    metrics.leave_slot(worker.slot)
    leave(worker.slot)


def on_exit(server):
    """The numbers end with the service."""
    shutil.rmtree(metrics.directory(), ignore_errors=True)

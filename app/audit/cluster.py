"""A scratch database on the nodes of a Citus, for `flask audit`, and how many tasks a plan has."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from psycopg import conninfo, sql

from app.db import distribution

NODES = """
SELECT nodename, nodeport, groupid = 0 FROM pg_dist_node
WHERE isactive AND noderole = 'primary'
ORDER BY groupid <> 0, nodename, nodeport
"""
CREATE_EXTENSION = "CREATE EXTENSION citus"
SET_COORDINATOR = "SELECT citus_set_coordinator_host(%s, %s)"
ADD_NODE = "SELECT citus_add_node(%s, %s)"
CREATE, DROP = sql.SQL("CREATE DATABASE {}"), sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")


@contextmanager
def joined(server_url: str, url: str) -> Iterator[bool]:
    """Joins the new database at `url` with one of its name on each node that `server_url` knows.

    False, and nothing is done, where `server_url` has no Citus. Each node is reached as that server
    is, with another host and port.
    """
    with psycopg.connect(server_url, autocommit=True) as connection:
        if not distribution.has_citus(connection):
            yield False
            return
        nodes = connection.execute(NODES).fetchall()
    name = str(conninfo.conninfo_to_dict(url)["dbname"])
    with ExitStack() as parts:
        with psycopg.connect(url, autocommit=True) as coordinator:
            coordinator.execute(CREATE_EXTENSION)
            for host, port, is_coordinator in nodes:
                if not is_coordinator:
                    parts.enter_context(_on_node(server_url, name, host, port))
                coordinator.execute(SET_COORDINATOR if is_coordinator else ADD_NODE, (host, port))
        yield True


@contextmanager
def _on_node(server_url: str, name: str, host: str, port: int) -> Iterator[None]:
    """A database of that name, with the extension, on a worker node."""
    server = conninfo.make_conninfo(server_url, host=host, port=port)
    database = sql.Identifier(name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(DROP.format(database))
        connection.execute(CREATE.format(database))
        try:
            own = conninfo.make_conninfo(server, dbname=name)
            with psycopg.connect(own, autocommit=True) as scratch:
                scratch.execute(CREATE_EXTENSION)
            yield
        finally:
            connection.execute(DROP.format(database))


def task_counts(explained: Any) -> Iterator[int]:
    """The task count of each distributed query in a plan, as EXPLAIN (FORMAT JSON) has it."""
    if isinstance(explained, dict):
        if "Task Count" in explained:
            yield int(explained["Task Count"])
        for value in explained.values():
            yield from task_counts(value)
    elif isinstance(explained, list):
        for value in explained:
            yield from task_counts(value)

"""Citus for tests: the real one of TEST_CITUS_URL, and what stands in for its functions elsewhere.

The stand-in is for the command that calls them, in their order. It has the catalogues and functions
that the command uses, and distributes nothing: they only note that they were called.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
from psycopg import conninfo, sql

from app.audit.cluster import joined

URL = os.environ.get("TEST_CITUS_URL")
HOW = (
    "needs a Citus: set TEST_CITUS_URL to a superuser's URL of a coordinator with two workers, "
    "such as postgresql://ownrow@localhost:5532/ownrow after "
    "docker compose --profile citus up citus-nodes"
)
needs_citus = pytest.mark.skipif(URL is None, reason=HOW)

STAND_IN = """
SET allow_system_table_mods = on;
INSERT INTO pg_catalog.pg_extension
VALUES (1, 'citus', 10, 'pg_catalog'::regnamespace, FALSE, '0', NULL, NULL);
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod "char", near text);
CREATE TABLE pg_catalog.pg_dist_object (classid oid, objid oid);
CREATE TABLE pg_catalog.pg_dist_local_group (groupid integer);
INSERT INTO pg_catalog.pg_dist_local_group VALUES (0);
CREATE TABLE pg_catalog.pg_dist_node (
    nodename text, nodeport integer, groupid integer, isactive boolean, noderole text
);
INSERT INTO pg_catalog.pg_dist_node VALUES ('coordinator', 5432, 0, TRUE, 'primary');
CREATE TABLE pg_catalog.pg_dist_background_job (job_id bigint, state text, description text);
CREATE TABLE pg_catalog.noted (number bigint GENERATED ALWAYS AS IDENTITY, call text);
GRANT SELECT ON pg_catalog.pg_dist_partition, pg_catalog.pg_dist_node,
    pg_catalog.pg_dist_background_job, pg_catalog.pg_dist_object TO PUBLIC;
CREATE FUNCTION pg_catalog.run_command_on_workers(command text)
RETURNS TABLE (nodename text, nodeport integer, success boolean, result text)
LANGUAGE plpgsql AS $$
DECLARE
    found text := 'DO';
BEGIN
    INSERT INTO pg_catalog.noted (call) VALUES ('on workers');
    IF command LIKE '%SELECT count%' THEN
        EXECUTE command INTO found;
    END IF;
    RETURN QUERY SELECT each.nodename, each.nodeport, TRUE, found
    FROM pg_catalog.pg_dist_node AS each WHERE each.groupid <> 0;
END
$$;
CREATE FUNCTION pg_catalog.create_distributed_function(named regprocedure) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO pg_catalog.pg_dist_object VALUES ('pg_proc'::regclass, named);
    INSERT INTO pg_catalog.noted (call) VALUES ('function ' || named::text);
$$;
CREATE FUNCTION pg_catalog.create_distributed_table(
    named regclass, key text, colocate_with text
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = named AND NOT tgisinternal) THEN
        RAISE EXCEPTION '% has triggers', named;
    END IF;
    IF EXISTS (
        SELECT FROM pg_constraint WHERE contype = 'f' AND conrelid = named AND confrelid <> named
        AND confrelid NOT IN (SELECT logicalrelid FROM pg_catalog.pg_dist_partition)
    ) OR EXISTS (
        SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = named AND conrelid IN (
            'public.users'::regclass, 'public.feeds'::regclass
        )
    ) THEN
        RAISE EXCEPTION '% has foreign keys that Citus refuses', named;
    END IF;
    INSERT INTO pg_catalog.pg_dist_partition VALUES (named, 'h', colocate_with);
    INSERT INTO pg_catalog.noted (call) VALUES ('table ' || named::text || ' by ' || key);
END
$$;
CREATE FUNCTION pg_catalog.truncate_local_data_after_distributing_table(named regclass)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('session_replication_role') <> 'replica' THEN
        RAISE EXCEPTION 'triggers would fire';
    END IF;
    INSERT INTO pg_catalog.noted (call) VALUES ('truncate ' || named::text);
END
$$;
RESET allow_system_table_mods;
"""
ADD_WORKERS = """
INSERT INTO pg_catalog.pg_dist_node VALUES
    ('one', 5432, 1, TRUE, 'primary'), ('two', 5432, 2, TRUE, 'primary')
"""


def stand_in(url: str, *, has_workers: bool = True) -> None:
    """Makes the database look like one with Citus; `url` is a superuser's."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(STAND_IN)
        if has_workers:
            connection.execute(ADD_WORKERS)


def calls(url: str) -> list[str]:
    """What was called, in order."""
    with psycopg.connect(url, autocommit=True) as connection:
        return [
            call
            for (call,) in connection.execute("SELECT call FROM pg_catalog.noted ORDER BY number")
        ]


PASSWORD = "seven quiet rivers"  # of ownrow_app, which tests connect as


@contextmanager
def database() -> Iterator[str]:
    """The superuser's URL of a new, empty database with Citus and its workers."""
    if URL is None:
        pytest.skip(HOW)
    name = f"ownrow_test_{uuid4().hex[:12]}"
    with psycopg.connect(URL, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            url = conninfo.make_conninfo(URL, dbname=name)
            with joined(URL, url) as has_citus:
                assert has_citus, "TEST_CITUS_URL names a database without the extension citus"
                yield url
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            server.execute(drop)

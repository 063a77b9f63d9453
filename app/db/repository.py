"""Statements about the session itself: settings, timeouts, the owner that row security compares."""

from app.db import statements

SET_SESSION = statements.load("db/set_session")
SET_UP_CONNECTION = statements.load("db/set_up_connection")
RAISE_IDLE_TIMEOUT = statements.load("db/raise_idle_timeout")
SET_OWNER = statements.load("db/set_owner")
SET_OWNER_ON_NODES = statements.load("db/set_owner_on_nodes")
SET_GROUP_TIMEOUTS = statements.load("db/set_group_timeouts")
SET_STATEMENT_TIMEOUT = statements.load("db/set_statement_timeout")

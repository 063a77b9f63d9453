"""Statements about the session itself: its timeouts, and the owner that row security compares."""

from app.db import statements

SET_UP_CONNECTION = statements.load("db/set_up_connection")
RAISE_IDLE_TIMEOUT = statements.load("db/raise_idle_timeout")
SET_OWNER = statements.load("db/set_owner")
SET_GROUP_TIMEOUTS = statements.load("db/set_group_timeouts")

"""What PostgreSQL allows: each role's rights on tables, the triggers, functions as their owner.

Read from the catalogues of a database that has the migrations, so that it includes rights that a
role inherits, or has as one of PUBLIC. Superusers, who may do everything, and PostgreSQL's own
roles are left out, and so are tables and functions outside the schema public.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

OWNER = "owner"  # in the place of all privileges of a table's owner, who may also change the table
PRIVILEGES = (OWNER, "select", "insert", "update", "delete")  # these first, then the others

RIGHTS = """
WITH pairs AS (
    SELECT
        pg_class.oid AS class,
        pg_class.relname,
        pg_class.relowner,
        pg_roles.oid AS role,
        pg_roles.rolname,
        pg_has_role(pg_roles.oid, pg_class.relowner, 'USAGE') AS is_owner
    FROM pg_class
    CROSS JOIN pg_roles
    WHERE
        pg_class.relnamespace = 'public'::regnamespace
        AND pg_class.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND NOT pg_roles.rolsuper
        AND NOT starts_with(pg_roles.rolname, 'pg_')
),

-- The owner's default rights are all that this version of PostgreSQL has.
possible AS (
    SELECT pairs.*, acl.privilege_type AS privilege
    FROM pairs
    CROSS JOIN LATERAL aclexplode(acldefault('r', pairs.relowner)) AS acl
    WHERE NOT pairs.is_owner
),

found AS (
    SELECT
        possible.*,
        has_table_privilege(role, class, privilege) AS is_whole,
        ARRAY(
            SELECT attname::text
            FROM pg_attribute
            WHERE
                attrelid = class AND attnum > 0 AND NOT attisdropped
                AND CASE WHEN privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
                    THEN has_column_privilege(role, class, attnum, privilege) END
            ORDER BY attnum
        ) AS columns
    FROM possible
)

SELECT relname AS table, rolname AS role, 'owner' AS privilege, '{}'::text[] AS columns
FROM pairs
WHERE is_owner
UNION ALL
SELECT relname, rolname, lower(privilege), CASE WHEN is_whole THEN '{}' ELSE columns END
FROM found
WHERE is_whole OR columns <> '{}'
ORDER BY 1, 2, 3
"""

TRIGGERS = """
SELECT
    pg_class.relname AS table,
    pg_trigger.tgname AS name,
    split_part(
        split_part(
            pg_get_triggerdef(pg_trigger.oid, TRUE),
            ' TRIGGER ' || quote_ident(pg_trigger.tgname) || ' ', 2
        ),
        ' EXECUTE ', 1
    ) AS event,
    CASE pg_trigger.tgenabled
        WHEN 'O' THEN 'enabled'
        WHEN 'D' THEN 'disabled'
        WHEN 'R' THEN 'enabled on replicas only'
        WHEN 'A' THEN 'enabled, also on replicas'
    END AS state,
    pg_proc.proname AS function,
    pg_proc.prosecdef AS is_security_definer,
    pg_get_userbyid(pg_proc.proowner) AS function_owner
FROM pg_trigger
INNER JOIN pg_class ON pg_trigger.tgrelid = pg_class.oid
INNER JOIN pg_proc ON pg_trigger.tgfoid = pg_proc.oid
WHERE pg_class.relnamespace = 'public'::regnamespace AND NOT pg_trigger.tgisinternal
ORDER BY 1, 2
"""

# Functions of triggers are called by no role.
DEFINERS = """
SELECT
    pg_proc.oid::regprocedure::text AS function,
    pg_get_userbyid(pg_proc.proowner) AS owner,
    ARRAY(
        SELECT rolname::text
        FROM pg_roles
        WHERE
            NOT rolsuper AND NOT starts_with(rolname, 'pg_')
            AND has_function_privilege(pg_roles.oid, pg_proc.oid, 'EXECUTE')
        ORDER BY rolname
    ) AS callers
FROM pg_proc
WHERE
    pg_proc.pronamespace = 'public'::regnamespace
    AND pg_proc.prosecdef
    AND pg_proc.prorettype <> 'trigger'::regtype
ORDER BY 1
"""


class Right(NamedTuple):
    """A privilege of a role on a table or view, in lower case, or OWNER.

    `columns` are the only ones that it is about; empty where it is about the whole table.
    """

    table: str
    role: str
    privilege: str
    columns: list[str]

    def __str__(self) -> str:
        """For example `select`, or `insert (owner_id, id)`."""
        return f"{self.privilege} ({', '.join(self.columns)})" if self.columns else self.privilege


class Trigger(NamedTuple):
    """A trigger, and the function that it calls.

    `event` is as in CREATE TRIGGER: from BEFORE, AFTER or INSTEAD OF to the condition.
    """

    table: str
    name: str
    event: str
    state: str
    function: str
    is_security_definer: bool
    function_owner: str

    @property
    def is_enabled(self) -> bool:
        """Whether a session with PostgreSQL's default settings fires it."""
        return self.state in ("enabled", "enabled, also on replicas")


class Definer(NamedTuple):
    """A SECURITY DEFINER function: it has its owner's rights, whoever of `callers` calls it."""

    function: str
    owner: str
    callers: list[str]


@dataclass(frozen=True)
class Access:
    """What a database allows to whom."""

    rights: Sequence[Right]
    triggers: Sequence[Trigger]
    definers: Sequence[Definer]

    @property
    def tables(self) -> list[str]:
        """The tables and views on which some role has a right, sorted."""
        return sorted({right.table for right in self.rights})

    @property
    def roles(self) -> list[str]:
        """The roles that have a right, sorted."""
        return sorted({right.role for right in self.rights})

    def of(self, role: str, table: str) -> list[Right]:
        """The role's rights on the table, the most common privileges first."""
        mine = [right for right in self.rights if (right.role, right.table) == (role, table)]
        return sorted(mine, key=lambda right: (_rank(right.privilege), right.privilege))


def _rank(privilege: str) -> int:
    return PRIVILEGES.index(privilege) if privilege in PRIVILEGES else len(PRIVILEGES)


def read(connection: psycopg.Connection[Any]) -> Access:
    """What the database of the connection allows. Raises psycopg.Error."""
    with connection.cursor(row_factory=class_row(Right)) as rights:
        found = rights.execute(RIGHTS).fetchall()
    with connection.cursor(row_factory=class_row(Trigger)) as triggers:
        fired = triggers.execute(TRIGGERS).fetchall()
    with connection.cursor(row_factory=class_row(Definer)) as definers:
        return Access(found, fired, definers.execute(DEFINERS).fetchall())

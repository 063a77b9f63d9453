-- Lists the ledger entries of a task before before_version, the newest first.
-- No row: no such task, not even in the trash. No entries: all are pruned or on earlier pages, or
-- known_tags holds the ledger's tag.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param id uuid
-- @param before_version bigint
-- @param known_tags text[]
-- @returns version bigint, pruned_version bigint, entries json null, next_position json null
SELECT
    ledgers.version,
    ledgers.pruned_version,
    page.entries,
    page.next_position
FROM tasks
INNER JOIN ledgers ON tasks.owner_id = ledgers.owner_id
CROSS JOIN
    LATERAL (
        SELECT
            array_to_json(
                trim_array(array_agg(listed.entry), greatest(count(*) - %(limit)s, 0)::integer)
            ) AS entries,
            CASE
                WHEN
                    count(*) > %(limit)s
                    THEN json_build_array((array_agg(listed.version))[%(limit)s])
            END AS next_position
        FROM (
            SELECT
                ledger_entries.version,
                json_build_object(
                    'version', ledger_entries.version,
                    'action', ledger_entries.action,
                    'at', utc(ledger_entries.at),
                    'task_id', ledger_entries.task_id,
                    'deleted', ledger_entries.action = 'delete',
                    'task', ledger_entries.task
                ) AS entry
            FROM ledger_entries
            WHERE
                ledger_entries.owner_id = ledgers.owner_id
                AND ledger_entries.owner_id = %(owner_id)s
                AND ledger_entries.task_id = %(id)s
                AND ledger_entries.version < %(before_version)s
                AND concat(ledgers.version, '-', ledgers.pruned_version)
                <> ALL(%(known_tags)s::text[])
            ORDER BY ledger_entries.version DESC
            LIMIT %(limit)s::integer + 1
        ) AS listed
    ) AS page
WHERE tasks.owner_id = %(owner_id)s AND tasks.id = %(id)s AND ledgers.owner_id = %(owner_id)s

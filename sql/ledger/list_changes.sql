-- Lists the tasks that changed after version since, each once in its current state, in the order of
-- changes.
-- No row: the owner is gone. No entries: nothing changed, or known_tags holds the ledger's tag. No
-- last_version: there are no more changes.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param since bigint
-- @param known_tags text[]
-- @returns version bigint, pruned_version bigint, prune_count integer, entries json null
-- @returns last_version bigint null
SELECT
    ledgers.version,
    ledgers.pruned_version,
    ledgers.prune_count,
    feed.entries,
    feed.last_version
FROM ledgers
CROSS JOIN
    LATERAL (
        SELECT
            array_to_json(
                trim_array(array_agg(changed.entry), greatest(count(*) - %(limit)s, 0)::integer)
            ) AS entries,
            CASE WHEN count(*) > %(limit)s THEN (array_agg(changed.version))[%(limit)s] END
                AS last_version
        FROM (
            SELECT
                tasks.version,
                json_build_object(
                    'version', tasks.version,
                    'action', tasks.last_action,
                    'at', utc(tasks.updated_at),
                    'task_id', tasks.id,
                    'deleted', tasks.deleted_at IS NOT NULL,
                    'task', CASE WHEN tasks.deleted_at IS NULL THEN tasks.document END
                ) AS entry
            FROM tasks
            WHERE
                tasks.owner_id = ledgers.owner_id
                AND tasks.owner_id = %(owner_id)s
                AND tasks.version > 0
                AND tasks.version > %(since)s
                AND concat(ledgers.version, '-', ledgers.pruned_version)
                <> ALL(%(known_tags)s::text[])
            ORDER BY tasks.version
            LIMIT %(limit)s::integer + 1
        ) AS changed
    ) AS feed
WHERE ledgers.owner_id = %(owner_id)s

-- Finds the first of up to limit tasks after after_version that has no ledger entry of its version.
-- Tasks last changed up to the pruned version can't be verified.
-- No last_version: there are no tasks after after_version. No version: all of them have entries.
-- @reads
-- @param owner_id uuid
-- @param after_version bigint
-- @param limit bigint
-- @returns last_version bigint null, version bigint null
SELECT
    max(task.version) AS last_version,
    min(task.version) FILTER (WHERE task.is_unknown) AS version
FROM (
    SELECT
        tasks.version,
        ledger_entries.version IS NULL AS is_unknown
    FROM ledgers
    INNER JOIN tasks ON ledgers.owner_id = tasks.owner_id
    LEFT JOIN ledger_entries
        ON
            tasks.version = ledger_entries.version
            AND tasks.id = ledger_entries.task_id
            AND ledger_entries.owner_id = %(owner_id)s
    WHERE
        ledgers.owner_id = %(owner_id)s
        AND tasks.owner_id = %(owner_id)s
        AND tasks.version > 0
        AND tasks.version > greatest(ledgers.pruned_version, %(after_version)s)
    ORDER BY tasks.version
    LIMIT %(limit)s
) AS task

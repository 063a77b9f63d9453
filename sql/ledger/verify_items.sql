-- Finds the first of up to limit items after after_version that has no ledger entry of its version.
-- Items last changed up to the pruned version can't be verified.
-- No last_version: there are no items after after_version. No version: all of them have entries.
-- version > 0 is the condition of the indexes on versions.
-- @reads
-- @param owner_id uuid
-- @param after_version bigint
-- @param limit bigint
-- @returns last_version bigint null, version bigint null
SELECT
    max(item.version) AS last_version,
    min(item.version) FILTER (WHERE item.is_unknown) AS version
FROM (
    SELECT
        items.version,
        ledger_entries.version IS NULL AS is_unknown
    FROM ledgers
    INNER JOIN items ON ledgers.owner_id = items.owner_id
    LEFT JOIN ledger_entries
        ON
            items.version = ledger_entries.version
            AND items.kind = ledger_entries.kind
            AND items.id = ledger_entries.item_id
            AND ledger_entries.owner_id = %(owner_id)s
    WHERE
        ledgers.owner_id = %(owner_id)s
        AND items.owner_id = %(owner_id)s
        AND items.version > 0
        AND items.version > greatest(ledgers.pruned_version, %(after_version)s)
    ORDER BY items.version
    LIMIT %(limit)s
) AS item

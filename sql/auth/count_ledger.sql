-- Counts the rows that erasing the owner's ledger will delete, by what they are: the kind of an item,
-- or the name of the table.
-- No row: there are no such rows.
-- @reads
-- @param owner_id uuid
-- @returns what text, number bigint
SELECT owned.what, count(*) AS number
FROM (
    SELECT items.kind AS what FROM items
    WHERE items.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'completions' AS what FROM completions
    WHERE completions.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'ledger_entries' AS what FROM ledger_entries
    WHERE ledger_entries.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'idempotency_keys' AS what FROM idempotency_keys
    WHERE idempotency_keys.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'webhooks' AS what FROM webhooks
    WHERE webhooks.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'webhook_attempts' AS what FROM webhook_attempts
    WHERE webhook_attempts.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'import_refs' AS what FROM import_refs
    WHERE import_refs.owner_id = %(owner_id)s
) AS owned
GROUP BY owned.what
ORDER BY owned.what

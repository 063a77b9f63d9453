-- Counts the rows that erasing the owner's account will delete.
-- @reads
-- @param owner_id uuid
-- @returns tasks bigint, ledger_entries bigint, idempotency_keys bigint, known_addresses bigint
SELECT
    (
        SELECT count(*) FROM tasks
        WHERE tasks.owner_id = %(owner_id)s
    ) AS tasks,
    (
        SELECT count(*) FROM ledger_entries
        WHERE ledger_entries.owner_id = %(owner_id)s
    ) AS ledger_entries,
    (
        SELECT count(*) FROM idempotency_keys
        WHERE idempotency_keys.owner_id = %(owner_id)s
    ) AS idempotency_keys,
    (
        SELECT count(*) FROM known_addresses
        WHERE known_addresses.owner_id = %(owner_id)s
    ) AS known_addresses

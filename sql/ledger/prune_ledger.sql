-- Advances the pruned version of the owner's ledger past the entries older than before, by limit
-- versions at most. Entry times increase with versions, so the oldest entries are the first ones.
-- Run with ledger/delete_pruned_entries and ledger/empty_trash in one transaction.
-- No row: no entry is old enough.
-- @writes
-- @param owner_id uuid
-- @param limit bigint
-- @param before timestamptz
-- @param is_first boolean
-- @returns pruned_version bigint
WITH old AS (
    SELECT
        ledger_entries.owner_id,
        ledger_entries.version,
        ledger_entries.hash
    FROM ledgers
    INNER JOIN ledger_entries ON ledgers.owner_id = ledger_entries.owner_id
    WHERE
        ledgers.owner_id = %(owner_id)s
        AND ledger_entries.owner_id = %(owner_id)s
        AND ledger_entries.version > ledgers.pruned_version
        AND ledger_entries.version <= ledgers.pruned_version + %(limit)s
        AND ledger_entries.at < %(before)s
    ORDER BY ledger_entries.version DESC
    LIMIT 1
)

UPDATE ledgers
SET
    pruned_version = old.version,
    pruned_hash = old.hash,
    prune_count = ledgers.prune_count + %(is_first)s::boolean::integer
FROM old
WHERE
    ledgers.owner_id = old.owner_id
    AND ledgers.owner_id = %(owner_id)s
    AND ledgers.pruned_version < old.version
RETURNING ledgers.pruned_version

-- Moves the beginning of the owner's ledger on, past entries older than before, at most limit.
-- Their times rise with their versions, so that they are the first ones. Goes with
-- tasks/delete_pruned_entries and tasks/empty_trash in one transaction.
-- No row: no entry is that old.
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
    prunes = ledgers.prunes + %(is_first)s::boolean::integer
FROM old
WHERE
    ledgers.owner_id = old.owner_id
    AND ledgers.owner_id = %(owner_id)s
    AND ledgers.pruned_version < old.version
RETURNING ledgers.pruned_version

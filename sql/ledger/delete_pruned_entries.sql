-- Deletes the entries up to the pruned version of the owner's ledger.
-- @writes
-- @param owner_id uuid
DELETE FROM ledger_entries
USING ledgers
WHERE
    ledger_entries.owner_id = %(owner_id)s
    AND ledgers.owner_id = %(owner_id)s
    AND ledger_entries.version <= ledgers.pruned_version

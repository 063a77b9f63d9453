-- Deletes the firings that are known up to the pruned version of the owner's ledger only.
-- @writes
-- @param owner_id uuid
DELETE FROM reminder_firings
USING ledgers
WHERE
    reminder_firings.owner_id = %(owner_id)s
    AND ledgers.owner_id = %(owner_id)s
    AND reminder_firings.version > 0
    AND reminder_firings.version <= ledgers.pruned_version

-- Deletes the lists in the trash that were deleted up to the pruned version of the owner's ledger.
-- @writes
-- @param owner_id uuid
DELETE FROM lists
USING ledgers
WHERE
    lists.owner_id = %(owner_id)s
    AND ledgers.owner_id = %(owner_id)s
    AND lists.deleted_at IS NOT NULL
    AND lists.version > 0
    AND lists.version <= ledgers.pruned_version

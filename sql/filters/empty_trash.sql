-- Deletes the filters in the trash that were deleted up to the pruned version of the owner's ledger.
-- @writes
-- @param owner_id uuid
DELETE FROM filters
USING ledgers
WHERE
    filters.owner_id = %(owner_id)s
    AND ledgers.owner_id = %(owner_id)s
    AND filters.deleted_at IS NOT NULL
    AND filters.version > 0
    AND filters.version <= ledgers.pruned_version

-- Deletes the labels in the trash that were deleted up to the pruned version of the owner's ledger.
-- @writes
-- @param owner_id uuid
DELETE FROM labels
USING ledgers
WHERE
    labels.owner_id = %(owner_id)s
    AND ledgers.owner_id = %(owner_id)s
    AND labels.deleted_at IS NOT NULL
    AND labels.version > 0
    AND labels.version <= ledgers.pruned_version

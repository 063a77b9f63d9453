-- Deletes the tasks in the trash that were deleted up to the pruned version of the owner's ledger.
-- @writes
-- @param owner_id uuid
DELETE FROM tasks
USING ledgers
WHERE
    tasks.owner_id = %(owner_id)s
    AND ledgers.owner_id = %(owner_id)s
    AND tasks.deleted_at IS NOT NULL
    AND tasks.version > 0
    AND tasks.version <= ledgers.pruned_version

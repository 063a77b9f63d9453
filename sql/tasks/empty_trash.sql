-- Deletes the tasks in the trash that were deleted up to the pruned version of the owner's ledger,
-- and those of lists that were.
-- @writes
-- @param owner_id uuid
WITH emptied AS (
    SELECT lists.id
    FROM lists
    CROSS JOIN ledgers
    WHERE
        lists.owner_id = %(owner_id)s
        AND ledgers.owner_id = %(owner_id)s
        AND lists.deleted_at IS NOT NULL
        AND lists.version > 0
        AND lists.version <= ledgers.pruned_version
)

DELETE FROM tasks
USING ledgers
WHERE
    tasks.owner_id = %(owner_id)s
    AND ledgers.owner_id = %(owner_id)s
    AND (
        (tasks.deleted_at IS NOT NULL AND tasks.version > 0 AND tasks.version <= ledgers.pruned_version)
        OR tasks.list_id IN (SELECT emptied.id FROM emptied)
    )

-- Deletes from the trash what was put there before the beginning of the owner's ledger.
DELETE FROM tasks
USING ledgers
WHERE
    tasks.owner_id = %(owner_id)s
    AND ledgers.owner_id = %(owner_id)s
    AND tasks.deleted_at IS NOT NULL
    AND tasks.version > 0
    AND tasks.version <= ledgers.pruned_version

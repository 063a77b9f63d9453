-- Reads the ids of the tasks outside the trash that have a label.
-- No row: there are no such tasks.
-- @reads
-- @param owner_id uuid
-- @param label_id uuid
-- @returns id uuid
SELECT id
FROM tasks
WHERE owner_id = %(owner_id)s AND deleted_at IS NULL AND %(label_id)s::uuid = ANY(label_ids)
ORDER BY id

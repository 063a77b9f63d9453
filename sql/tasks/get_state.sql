-- Reads whether a task is in the trash.
-- No row: no such task, not even there.
SELECT deleted_at IS NOT NULL AS is_deleted
FROM tasks
WHERE owner_id = %(owner_id)s AND id = %(id)s

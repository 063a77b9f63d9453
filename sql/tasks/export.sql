-- Reads all tasks outside the trash whose list is not in the trash either, the oldest first; run
-- through a server-side cursor. Recurring ones have with them where they stand in their series.
-- No row: there are no tasks.
-- @reads
-- @param owner_id uuid
-- @returns document json
SELECT
    CASE
        WHEN recurrence IS NULL THEN document
        ELSE (
            document::jsonb || jsonb_build_object(
                'recurrence_from', recurrence_from, 'recurrence_left', recurrence_left
            )
        )::json
    END AS document
FROM tasks
WHERE
    owner_id = %(owner_id)s
    AND deleted_at IS NULL
    AND (list_id IS NULL OR list_id IN (
        SELECT lists.id FROM lists
        WHERE lists.owner_id = %(owner_id)s AND lists.deleted_at IS NULL
    ))
ORDER BY id

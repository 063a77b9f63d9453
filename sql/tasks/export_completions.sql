-- Reads all completions of the tasks that are exported, in the order of the tasks, the oldest first, with
-- where each task stood in its series; run through a server-side cursor.
-- No row: there are no completions.
-- @reads
-- @param owner_id uuid
-- @returns document json
SELECT
    json_build_object(
        'task_id', completions.task_id,
        'occurrence', completions.occurrence,
        'completed_at', utc(completions.completed_at),
        'version', completions.version,
        'undone', completions.undone_version IS NOT NULL,
        'recurrence', completions.recurrence,
        'recurrence_from', completions.recurrence_from,
        'recurrence_left', completions.recurrence_left
    ) AS document
FROM completions
INNER JOIN tasks ON completions.owner_id = tasks.owner_id AND completions.task_id = tasks.id
WHERE
    completions.owner_id = %(owner_id)s
    AND tasks.owner_id = %(owner_id)s
    AND tasks.deleted_at IS NULL
    AND (tasks.list_id IS NULL OR tasks.list_id IN (
        SELECT lists.id FROM lists
        WHERE lists.owner_id = %(owner_id)s AND lists.deleted_at IS NULL
    ))
ORDER BY completions.task_id, completions.version

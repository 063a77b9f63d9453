-- Reads the last completion of a recurring task that was not undone.
-- No row: there is none.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns version bigint, occurrence text, recurrence text, recurrence_from text
-- @returns recurrence_left integer null
SELECT version, occurrence, recurrence, recurrence_from, recurrence_left
FROM completions
WHERE owner_id = %(owner_id)s AND task_id = %(id)s AND undone_version IS NULL
ORDER BY version DESC
LIMIT 1

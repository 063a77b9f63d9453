-- Lists the tasks behind after_id with instants that were computed for another time_zone or
-- reminder_time than their owner has: they float, or their reminders count from a whole day.
-- No row: there are no such tasks.
-- @reads
-- @param owner_id uuid
-- @param time_zone text
-- @param reminder_time text
-- @param after_id uuid
-- @param limit bigint
-- @returns id uuid, due text null, start text null, time_zone text null, computed_zone text null
-- @returns reminders text[], next_reminder_at timestamptz null, computed_reminder_time text null
SELECT
    id, due, start, time_zone, computed_zone, reminders, next_reminder_at, computed_reminder_time
FROM tasks
WHERE
    owner_id = %(owner_id)s
    AND (
        (time_zone IS NULL AND computed_zone <> %(time_zone)s)
        OR computed_reminder_time <> %(reminder_time)s
    )
    AND id > %(after_id)s
ORDER BY id
LIMIT %(limit)s

-- Lists the tasks behind after_id whose instants were computed in another zone than time_zone,
-- although they float.
-- No row: there are no such tasks.
-- @reads
-- @param owner_id uuid
-- @param time_zone text
-- @param after_id uuid
-- @param limit bigint
-- @returns id uuid, due text null, start text null
SELECT id, due, start
FROM tasks
WHERE
    owner_id = %(owner_id)s
    AND time_zone IS NULL
    AND computed_zone <> %(time_zone)s
    AND id > %(after_id)s
ORDER BY id
LIMIT %(limit)s

-- Reads the ids of the tasks that a label's deletion changed last: it took the versions from
-- from_version up to that of the label.
-- No row: there are no such tasks.
-- @reads
-- @param owner_id uuid
-- @param from_version bigint
-- @param to_version bigint
-- @returns id uuid
SELECT id
FROM tasks
WHERE
    owner_id = %(owner_id)s
    AND version > 0
    AND version >= %(from_version)s
    AND version < %(to_version)s
ORDER BY version

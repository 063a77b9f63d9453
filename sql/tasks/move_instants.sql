-- Sets the instants of floating tasks, as computed in time_zone, which takes no version. The arrays
-- have an element for each task.
-- @writes
-- @param time_zone text
-- @param ids uuid[]
-- @param due_at timestamptz[]
-- @param due_begins_at timestamptz[]
-- @param start_at timestamptz[]
-- @param owner_id uuid
UPDATE tasks
SET
    due_at = computed.due_at,
    due_begins_at = computed.due_begins_at,
    start_at = computed.start_at,
    computed_zone = %(time_zone)s
FROM
    unnest(
        %(ids)s::uuid[], %(due_at)s::timestamptz[], %(due_begins_at)s::timestamptz[],
        %(start_at)s::timestamptz[]
    ) AS computed (id, due_at, due_begins_at, start_at)
WHERE tasks.owner_id = %(owner_id)s AND tasks.id = computed.id

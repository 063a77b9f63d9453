-- Sets the instants of tasks, as computed in zones and for reminder times, which takes no version. The
-- arrays have an element for each task.
-- @writes
-- @param ids uuid[]
-- @param due_at timestamptz[]
-- @param due_begins_at timestamptz[]
-- @param start_at timestamptz[]
-- @param computed_zone text[]
-- @param next_reminder_at timestamptz[]
-- @param computed_reminder_time text[]
-- @param owner_id uuid
WITH computed AS (
    SELECT
        each.id, each.due_at, each.due_begins_at, each.start_at, each.computed_zone,
        each.next_reminder_at, each.computed_reminder_time
    FROM
        unnest(
            %(ids)s::uuid[], %(due_at)s::timestamptz[], %(due_begins_at)s::timestamptz[],
            %(start_at)s::timestamptz[], %(computed_zone)s::text[],
            %(next_reminder_at)s::timestamptz[], %(computed_reminder_time)s::text[]
        ) AS each (
            id, due_at, due_begins_at, start_at, computed_zone, next_reminder_at,
            computed_reminder_time
        )
)

UPDATE tasks
SET
    due_at = computed.due_at,
    due_begins_at = computed.due_begins_at,
    start_at = computed.start_at,
    computed_zone = computed.computed_zone,
    next_reminder_at = computed.next_reminder_at,
    computed_reminder_time = computed.computed_reminder_time
FROM computed
WHERE tasks.owner_id = %(owner_id)s AND tasks.id = computed.id

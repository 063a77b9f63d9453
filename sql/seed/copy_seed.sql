-- Copies seeded rows into the temporary table: one row per change, with the task after it.
-- @writes
COPY seeded (
    version,
    task_id,
    action,
    at,
    task,
    hash,
    title,
    title_folded,
    description,
    description_folded,
    completed_at,
    created_at
) FROM STDIN WITH (FORMAT "binary")

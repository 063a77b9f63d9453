-- Takes seeded rows in: a change to a task each, with the task as it was then.
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

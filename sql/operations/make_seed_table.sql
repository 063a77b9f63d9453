-- Makes the table of this connection that seeded rows arrive in; it is empty after each transaction.
CREATE TEMPORARY TABLE IF NOT EXISTS seeded (
    version bigint NOT NULL,
    task_id uuid NOT NULL,
    action text NOT NULL,
    at timestamptz NOT NULL,
    task text,
    hash bytea NOT NULL,
    title text,
    title_folded text,
    description text,
    description_folded text,
    completed_at timestamptz,
    created_at timestamptz
) ON COMMIT DELETE ROWS

-- Creates the connection's temporary table for seeded rows, which is emptied at each commit.
-- @writes
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

-- Notes that a worker is running, and how long the oldest thing that is due has been waiting.
-- Deletes up to 100 workers that have not been seen for an hour.
-- @writes
-- @param worker_id uuid
-- @param lag_seconds integer
WITH gone AS (
    DELETE FROM worker_heartbeats
    WHERE worker_id IN (
        SELECT worker_id
        FROM worker_heartbeats
        WHERE worker_id <> %(worker_id)s AND seen_at <= now() - interval '1 hour'
        ORDER BY seen_at
        LIMIT 100
        FOR UPDATE SKIP LOCKED
    )
)

INSERT INTO worker_heartbeats (worker_id, lag_seconds)
VALUES (%(worker_id)s, %(lag_seconds)s)
ON CONFLICT (worker_id) DO UPDATE
    SET seen_at = now(), lag_seconds = excluded.lag_seconds

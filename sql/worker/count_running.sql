-- Counts the workers that were seen in the last 30 seconds, and tells how long the oldest thing
-- that was due then had been waiting for any of them.
-- No row: never.
-- @reads
-- @returns workers bigint, lag_seconds integer null
SELECT
    count(*) AS workers,
    max(lag_seconds) AS lag_seconds
FROM worker_heartbeats
WHERE seen_at > now() - interval '30 seconds'

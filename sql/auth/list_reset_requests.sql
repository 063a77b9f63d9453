-- Lists up to limit addresses that a reset was asked for, the longest waiting first.
-- No row: no reset was asked for.
-- @reads
-- @param limit bigint
-- @returns email_key text, lag interval
SELECT
    email_key,
    now() - requested_at AS lag
FROM reset_requests
ORDER BY requested_at
LIMIT %(limit)s

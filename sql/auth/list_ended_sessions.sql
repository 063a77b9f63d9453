-- Lists the ids of the sessions of all owners that ended in the last `seconds` seconds.
-- No row: no session ended.
-- @reads
-- @param seconds float8
-- @returns session_id uuid
SELECT session_id
FROM ended_sessions
WHERE ended_at > clock_timestamp() - make_interval(secs => %(seconds)s)

-- Lists the sessions of all owners that ended lately: ids only, which name nobody.
-- No row: none did.
SELECT session_id
FROM ended_sessions
WHERE ended_at > clock_timestamp() - make_interval(secs => %(seconds)s)

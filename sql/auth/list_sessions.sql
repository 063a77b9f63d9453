-- Lists the owner's open sessions, without API tokens, the most recently used first.
-- No row: the owner has no open session.
-- @reads
-- @param owner_id uuid
-- @returns id uuid, created_at text, last_used_at text, user_agent text null
SELECT id, utc(created_at) AS created_at, utc(last_used_at) AS last_used_at, user_agent
FROM sessions
WHERE
    owner_id = %(owner_id)s
    AND kind = 'login'
    AND created_at > now() - session_lifetime()
    AND last_used_at > now() - session_idle_time()
ORDER BY last_used_at DESC, id ASC

-- Lists where the owner is logged in, the session used last first.
-- No row: nowhere any more.
SELECT id, utc(created_at) AS created_at, utc(last_used_at) AS last_used_at, user_agent
FROM sessions
WHERE
    owner_id = %(owner_id)s
    AND created_at > now() - interval '90 days'
    AND last_used_at > now() - interval '30 days'
ORDER BY last_used_at DESC, id ASC

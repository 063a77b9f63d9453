-- Replaces the current refresh token of a session by its successor, and adds it to those used within
-- the grace time, of which it keeps one per tenth of a second, so that they are about a hundred at
-- most. A time in the future is that of a clock that was set back since: it becomes now, so that the
-- grace time does not last until then.
-- No row: the token is not the current one or has expired, its session has ended or the account is
-- disabled.
-- @writes
-- @param successor_hash bytea
-- @param owner_id uuid
-- @param session_id uuid
-- @param token_hash bytea
-- @returns id uuid, email text, email_verified_at text null, time_zone text, reminder_time text
-- @returns mail boolean, has_second_factor boolean, created_at text, updated_at text
UPDATE sessions
SET
    token_number = sessions.token_number + 1,
    token_hash = %(successor_hash)s,
    parent_hash = sessions.token_hash,
    last_used_at = now(),
    (used_numbers, used_at) = (
        SELECT
            array_agg(tenth.number) AS used_numbers,
            array_agg(tenth.at) AS used_at
        FROM (
            SELECT
                min(used.number) AS number,
                max(least(used.at, now())) AS at
            FROM
                unnest(
                    array_append(sessions.used_numbers, sessions.token_number),
                    array_append(sessions.used_at, now())
                ) AS used (number, at)
            WHERE used.at > now() - refresh_grace_time()
            GROUP BY date_bin('100 milliseconds', least(used.at, now()), 'epoch')
        ) AS tenth
    )
FROM users
WHERE
    sessions.owner_id = %(owner_id)s
    AND sessions.id = %(session_id)s
    AND sessions.kind = 'login'
    AND sessions.token_hash = %(token_hash)s
    AND sessions.created_at > now() - session_lifetime()
    AND sessions.last_used_at > now() - session_idle_time()
    AND sessions.owner_id = users.id
    AND users.id = %(owner_id)s
    AND users.disabled_at IS NULL
RETURNING
    users.id, users.email, utc(users.email_verified_at) AS email_verified_at,
    users.time_zone, users.reminder_time, users.wants_mail AS mail,
    EXISTS (
        SELECT FROM second_factors
        WHERE second_factors.owner_id = %(owner_id)s AND second_factors.confirmed_at IS NOT NULL
    ) AS has_second_factor,
    utc(users.created_at) AS created_at, utc(users.updated_at) AS updated_at

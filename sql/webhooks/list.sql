-- Lists the owner's webhooks, the oldest first.
-- No row: the owner has none.
-- @reads
-- @param owner_id uuid
-- @returns id uuid, url text, types text[] null, list_id uuid null, delivered_version bigint
-- @returns failures integer, next_attempt_at text null, previous_secret_until text null
-- @returns disabled_at text null, disabled_reason text null, created_at text, updated_at text
SELECT
    id,
    url,
    types,
    list_id,
    delivered_version,
    failures,
    CASE
        WHEN failures > 0 AND disabled_at IS NULL THEN utc(next_attempt_at)
    END AS next_attempt_at,
    CASE
        WHEN previous_secret_until > now() THEN utc(previous_secret_until)
    END AS previous_secret_until,
    utc(disabled_at) AS disabled_at,
    disabled_reason,
    utc(created_at) AS created_at,
    utc(updated_at) AS updated_at
FROM webhooks
WHERE owner_id = %(owner_id)s
ORDER BY created_at ASC, id ASC

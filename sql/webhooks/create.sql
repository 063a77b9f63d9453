-- Adds a webhook, which is told what changes from now on.
-- No row: the owner is gone.
-- @writes
-- @param id uuid
-- @param url text
-- @param types text[]
-- @param list_id uuid
-- @param secret bytea
-- @param owner_id uuid
-- @returns id uuid, url text, types text[] null, list_id uuid null, delivered_version bigint
-- @returns failures integer, next_attempt_at text null, previous_secret_until text null
-- @returns disabled_at text null, disabled_reason text null, created_at text, updated_at text
WITH created AS (
    INSERT INTO webhooks (owner_id, id, url, types, list_id, secret, delivered_version)
    SELECT
        owner_id, %(id)s, %(url)s, %(types)s::text[], %(list_id)s::uuid, %(secret)s, version
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    RETURNING
        id, url, types, list_id, delivered_version, failures,
        next_attempt_at, previous_secret_until, disabled_at, disabled_reason,
        created_at, updated_at
)

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
FROM created

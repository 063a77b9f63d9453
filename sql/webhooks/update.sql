-- Changes what fields names of a webhook, and whether it is enabled where that is not null; reason is
-- why it is disabled. What it has not been told is tried again at once.
-- No row: no such webhook.
-- @writes
-- @param fields text[]
-- @param url text
-- @param types text[]
-- @param list_id uuid
-- @param enabled boolean
-- @param reason text
-- @param owner_id uuid
-- @param id uuid
-- @returns id uuid, url text, types text[] null, list_id uuid null, delivered_version bigint
-- @returns failures integer, next_attempt_at text null, previous_secret_until text null
-- @returns disabled_at text null, disabled_reason text null, created_at text, updated_at text
WITH moment AS (
    SELECT now() AS at
),

changed AS (
    UPDATE webhooks
    SET
        url = CASE WHEN 'url' = ANY(%(fields)s::text[]) THEN %(url)s ELSE webhooks.url END,
        types = CASE WHEN 'types' = ANY(%(fields)s::text[]) THEN %(types)s::text[] ELSE webhooks.types END,
        list_id = CASE
            WHEN 'list_id' = ANY(%(fields)s::text[]) THEN %(list_id)s::uuid ELSE webhooks.list_id
        END,
        disabled_at = CASE
            WHEN %(enabled)s::boolean THEN NULL
            WHEN NOT %(enabled)s::boolean THEN coalesce(webhooks.disabled_at, moment.at)
            ELSE webhooks.disabled_at
        END,
        disabled_reason = CASE
            WHEN %(enabled)s::boolean THEN NULL
            WHEN NOT %(enabled)s::boolean THEN coalesce(webhooks.disabled_reason, %(reason)s)
            ELSE webhooks.disabled_reason
        END,
        failures = 0,
        next_attempt_at = moment.at,
        updated_at = moment.at
    FROM moment
    WHERE webhooks.owner_id = %(owner_id)s AND webhooks.id = %(id)s
    RETURNING
        webhooks.id, webhooks.url, webhooks.types, webhooks.list_id, webhooks.delivered_version, webhooks.failures,
        webhooks.next_attempt_at, webhooks.previous_secret_until, webhooks.disabled_at, webhooks.disabled_reason,
        webhooks.created_at, webhooks.updated_at
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
FROM changed

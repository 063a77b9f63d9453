-- Records an attempt of a webhook that is leased, deletes the attempts before its last 100, and moves
-- it to delivered_version. It is due again after the pause, unless it is disabled for a reason.
-- No row: the lease is over, or was ended by a change of the webhook; nothing is recorded.
-- @writes
-- @param delivered_version bigint
-- @param failures integer
-- @param pause interval
-- @param reason text
-- @param owner_id uuid
-- @param id uuid
-- @param leased_until timestamptz
-- @param version bigint
-- @param type text
-- @param at timestamptz
-- @param status integer
-- @param milliseconds integer
-- @param error text
-- @returns leased_until timestamptz
WITH moment AS (
    SELECT now() AS at
),

webhook AS (
    UPDATE webhooks
    SET
        delivered_version = %(delivered_version)s,
        failures = %(failures)s,
        attempts = webhooks.attempts + 1,
        next_attempt_at = statement_timestamp() + %(pause)s::interval,
        disabled_at = CASE WHEN %(reason)s::text IS NOT NULL THEN moment.at END,
        disabled_reason = %(reason)s::text
    FROM moment
    WHERE
        webhooks.owner_id = %(owner_id)s
        AND webhooks.id = %(id)s
        AND webhooks.next_attempt_at = %(leased_until)s
        AND webhooks.disabled_at IS NULL
    RETURNING webhooks.id, webhooks.attempts, webhooks.next_attempt_at
),

outdated AS (
    DELETE FROM webhook_attempts
    USING webhook
    WHERE
        webhook_attempts.owner_id = %(owner_id)s
        AND webhook_attempts.webhook_id = webhook.id
        AND webhook_attempts.number <= webhook.attempts - 100
),

recorded AS (
    INSERT INTO webhook_attempts (
        owner_id, webhook_id, number, version, type, at, status, milliseconds, error
    )
    SELECT
        %(owner_id)s, webhook.id, webhook.attempts, %(version)s, %(type)s, %(at)s, %(status)s,
        %(milliseconds)s, %(error)s
    FROM webhook
)

SELECT next_attempt_at AS leased_until
FROM webhook

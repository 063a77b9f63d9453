-- Claims an Idempotency-Key until the transaction ends, and reads the answer that was given under
-- it. Forgets answers older than 24 hours: the key's own, and a few others.
-- Not claimed: another transaction is at work under that key. No status: no answer is stored, or
-- it was while this statement began, and then tasks/store_answer breaks idempotency_keys_pkey.
WITH forgotten AS (
    DELETE FROM idempotency_keys
    WHERE
        owner_id = %(owner_id)s
        AND key = %(key)s
        AND created_at <= now() - interval '24 hours'
),

others AS (
    SELECT key
    FROM idempotency_keys
    WHERE
        owner_id = %(owner_id)s
        AND key <> %(key)s
        AND created_at <= now() - interval '24 hours'
    ORDER BY created_at
    LIMIT 10
    FOR UPDATE SKIP LOCKED
),

swept AS (
    DELETE FROM idempotency_keys
    USING others
    WHERE idempotency_keys.owner_id = %(owner_id)s AND idempotency_keys.key = others.key
),

claim AS (
    SELECT
        pg_try_advisory_xact_lock(hashtextextended(%(owner_id)s::text || %(key)s, 0)) AS is_claimed
)

SELECT
    claim.is_claimed,
    idempotency_keys.request_hash,
    idempotency_keys.status,
    idempotency_keys.etag,
    idempotency_keys.location,
    idempotency_keys.body
FROM claim
LEFT JOIN idempotency_keys
    ON
        idempotency_keys.owner_id = %(owner_id)s
        AND idempotency_keys.key = %(key)s
        AND idempotency_keys.created_at > now() - interval '24 hours'

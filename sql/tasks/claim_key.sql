-- Claims an Idempotency-Key until the transaction ends, and reads the answer that was given under
-- it.
-- Not claimed: another transaction is at work under that key. No status: no answer is stored.
WITH expired AS (
    DELETE FROM idempotency_keys
    WHERE owner_id = %(owner_id)s AND created_at <= now() - interval '24 hours'
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

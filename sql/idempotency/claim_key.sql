-- Locks an Idempotency-Key until the transaction ends, and reads the response stored under it.
-- Deletes expired responses: the key's own and up to 10 others of the owner.
-- Not is_claimed: another transaction holds the key. No status: no response is stored, or one was
-- stored after this statement began, and idempotency/store_response will violate
-- idempotency_keys_pkey.
-- @writes
-- @param owner_id uuid
-- @param key text
-- @returns is_claimed boolean, request_hash bytea null, status integer null, etag text null
-- @returns location text null, body text null
WITH expired AS (
    DELETE FROM idempotency_keys
    WHERE
        owner_id = %(owner_id)s
        AND key = %(key)s
        AND created_at <= now() - idempotency_key_lifetime()
),

other_expired AS (
    SELECT key
    FROM idempotency_keys
    WHERE
        owner_id = %(owner_id)s
        AND key <> %(key)s
        AND created_at <= now() - idempotency_key_lifetime()
    ORDER BY created_at
    LIMIT 10
    FOR UPDATE SKIP LOCKED
),

deleted AS (
    DELETE FROM idempotency_keys
    USING other_expired
    WHERE idempotency_keys.owner_id = %(owner_id)s AND idempotency_keys.key = other_expired.key
),

claim AS (
    SELECT
        pg_try_advisory_xact_lock(hashtextextended(%(owner_id)s::text || %(key)s, 0)) AS is_claimed
)

SELECT
    claim.is_claimed,
    idempotency_keys.request_hash,
    idempotency_keys.status::integer AS status,
    idempotency_keys.etag,
    idempotency_keys.location,
    idempotency_keys.body
FROM claim
LEFT JOIN idempotency_keys
    ON
        idempotency_keys.owner_id = %(owner_id)s
        AND idempotency_keys.key = %(key)s
        AND idempotency_keys.created_at > now() - idempotency_key_lifetime()

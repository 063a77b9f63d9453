-- Reads the response stored under an Idempotency-Key, and deletes expired ones: the key's own and up to
-- 10 others of the owner.
-- No row: no response is stored. If one is stored after this statement began, which a transaction that
-- has claimed the key rules out, idempotency/store_response will violate idempotency_keys_pkey.
-- @writes
-- @param owner_id uuid
-- @param key text
-- @returns request_hash bytea, status integer, etag text null, location text null, body text
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
)

SELECT
    request_hash,
    status::integer AS status,
    etag,
    location,
    body
FROM idempotency_keys
WHERE
    owner_id = %(owner_id)s
    AND key = %(key)s
    AND created_at > now() - idempotency_key_lifetime()

-- Locks an Idempotency-Key until the transaction ends. A statement of its own: what is read after it
-- was committed before the lock was had.
-- Not is_claimed: another transaction holds the key.
-- @reads
-- @param owner_id uuid
-- @param key text
-- @returns is_claimed boolean
SELECT
    pg_try_advisory_xact_lock(hashtextextended(%(owner_id)s::uuid::text || %(key)s, 0)) AS is_claimed

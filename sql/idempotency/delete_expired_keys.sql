-- Deletes the owner's idempotency keys that have expired.
-- @writes
-- @param owner_id uuid
DELETE FROM idempotency_keys
WHERE owner_id = %(owner_id)s AND created_at <= now() - idempotency_key_lifetime()

-- Deletes the owner's idempotency keys that have expired, after 24 hours.
-- @writes
-- @param owner_id uuid
DELETE FROM idempotency_keys
WHERE owner_id = %(owner_id)s AND created_at <= now() - interval '24 hours'

-- Deletes the owner's stored answers that no retry may have any more.
DELETE FROM idempotency_keys
WHERE owner_id = %(owner_id)s AND created_at <= now() - interval '24 hours'

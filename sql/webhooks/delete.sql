-- Deletes a webhook with its attempts.
-- @writes
-- @param owner_id uuid
-- @param id uuid
DELETE FROM webhooks
WHERE owner_id = %(owner_id)s AND id = %(id)s

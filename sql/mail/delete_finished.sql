-- Deletes a mail of the owner's that is finished and whose retention is over.
-- @writes
-- @param owner_id uuid
-- @param id uuid
DELETE FROM outgoing_mail
WHERE owner_id = %(owner_id)s AND id = %(id)s AND text IS NULL AND next_step_at <= now()

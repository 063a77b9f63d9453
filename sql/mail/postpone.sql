-- Notes why the last attempt to send the owner's mail failed, and when the next one is due. Does
-- nothing if another attempt has begun since.
-- @writes
-- @param last_error text
-- @param pause interval
-- @param owner_id uuid
-- @param id uuid
-- @param attempts integer
UPDATE outgoing_mail
SET
    last_error = %(last_error)s,
    next_step_at = now() + %(pause)s::interval
WHERE
    owner_id = %(owner_id)s
    AND id = %(id)s
    AND attempts = %(attempts)s
    AND text IS NOT NULL

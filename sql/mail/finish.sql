-- Notes that the owner's mail was sent or, with an error, that it has failed for good. Its content
-- is removed at once, the row after the retention.
-- @writes
-- @param last_error text
-- @param retention interval
-- @param owner_id uuid
-- @param id uuid
UPDATE outgoing_mail
SET
    text = NULL,
    html = NULL,
    sent_at = CASE WHEN %(last_error)s::text IS NULL THEN now() END,
    failed_at = CASE WHEN %(last_error)s::text IS NOT NULL THEN now() END,
    last_error = %(last_error)s,
    next_step_at = now() + %(retention)s::interval
WHERE owner_id = %(owner_id)s AND id = %(id)s AND text IS NOT NULL

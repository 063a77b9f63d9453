-- Notes the hour in which an API token is used; changes nothing where it is noted already.
-- @writes
-- @param owner_id uuid
-- @param id uuid
UPDATE api_tokens
SET last_used_at = date_bin('1 hour', now(), 'epoch')
WHERE
    owner_id = %(owner_id)s
    AND id = %(id)s
    AND coalesce(last_used_at < date_bin('1 hour', now(), 'epoch'), TRUE)

-- Finds the feed of a secret's hash by a SECURITY DEFINER function: a request has nothing but the secret
-- to tell whose it is.
-- No row: no such feed, or it has been ended.
-- @reads
-- @param secret_hash bytea
-- @returns owner_id uuid, id uuid
SELECT owner_id, id
FROM find_feed(%(secret_hash)s)

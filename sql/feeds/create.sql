-- Adds a feed.
-- @writes
-- @param owner_id uuid
-- @param id uuid
-- @param list_id uuid
-- @param component text
-- @param secret_hash bytea
-- @returns id uuid, list_id uuid null, component text, created_at text
INSERT INTO feeds (owner_id, id, list_id, component, secret_hash)
VALUES (%(owner_id)s, %(id)s, %(list_id)s, %(component)s, %(secret_hash)s)
RETURNING id, list_id, component, utc(created_at) AS created_at

-- Stores the response to a write under its Idempotency-Key, in the transaction of the write.
-- Violates idempotency_keys_pkey if another transaction has stored one since the key was read.
-- @writes
-- @param owner_id uuid
-- @param key text
-- @param request_hash bytea
-- @param status smallint
-- @param etag text
-- @param location text
-- @param body text
INSERT INTO idempotency_keys (owner_id, key, request_hash, status, etag, location, body)
VALUES (
    %(owner_id)s, %(key)s, %(request_hash)s, %(status)s, %(etag)s, %(location)s, %(body)s
)

-- Stores the answer to a write under its Idempotency-Key, in the transaction of that write.
-- Breaks idempotency_keys_pkey where another transaction has stored one just now.
INSERT INTO idempotency_keys (owner_id, key, request_hash, status, etag, location, body)
VALUES (
    %(owner_id)s, %(key)s, %(request_hash)s, %(status)s, %(etag)s, %(location)s, %(body)s
)

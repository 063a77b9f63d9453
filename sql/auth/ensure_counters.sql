-- Inserts the missing counters of a password attempt, and resets those without a failure in the
-- last 24 hours. Sorted, so that concurrent attempts can't deadlock.
-- @writes
-- @param account_hashes bytea[]
-- @param address_hashes bytea[]
INSERT INTO login_attempts (account_hash, address_hash, failures, last_failure_at)
SELECT account_hash, address_hash, 0, clock_timestamp()
FROM
    unnest(%(account_hashes)s::bytea[], %(address_hashes)s::bytea[]) AS asked (
        account_hash, address_hash
    )
ORDER BY account_hash, address_hash
ON CONFLICT (account_hash, address_hash) DO UPDATE
    SET failures = 0, last_failure_at = excluded.last_failure_at
    WHERE login_attempts.last_failure_at <= clock_timestamp() - interval '24 hours'

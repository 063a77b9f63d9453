-- Inserts the missing counters of a password attempt, and resets those without a failure in the
-- last 24 hours; neither if one of them throttles the attempt, so that throttled attempts leave no
-- rows. Sorted, so that concurrent attempts can't deadlock.
-- @writes
-- @param account_hashes bytea[]
-- @param address_hashes bytea[]
-- @param free integer[]
WITH asked AS (
    SELECT
        account_hash,
        address_hash,
        free
    FROM
        unnest(
            %(account_hashes)s::bytea[], %(address_hashes)s::bytea[], %(free)s::integer[]
        ) AS counters (account_hash, address_hash, free)
),

throttling AS (
    SELECT login_attempts.account_hash
    FROM login_attempts
    INNER JOIN asked
        ON
            login_attempts.account_hash = asked.account_hash
            AND login_attempts.address_hash = asked.address_hash
    WHERE
        next_attempt_at(login_attempts.failures, asked.free, login_attempts.last_failure_at)
        > clock_timestamp()
)

INSERT INTO login_attempts (account_hash, address_hash, failures, last_failure_at)
SELECT account_hash, address_hash, 0, clock_timestamp()
FROM asked
WHERE NOT EXISTS (SELECT FROM throttling)
ORDER BY account_hash, address_hash
ON CONFLICT (account_hash, address_hash) DO UPDATE
    SET failures = 0, last_failure_at = excluded.last_failure_at
    WHERE login_attempts.last_failure_at <= clock_timestamp() - interval '24 hours'

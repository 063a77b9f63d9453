-- Undoes the counting of an attempt that was not wrong, and its time, so that the next one need not
-- wait for it. A right one resets the counter of the account and address; the counters shared with
-- other clients are decremented.
-- @writes
-- @param account_hashes bytea[]
-- @param address_hashes bytea[]
-- @param is_right boolean
WITH counters AS (
    SELECT login_attempts.account_hash, login_attempts.address_hash
    FROM login_attempts
    INNER JOIN
        unnest(%(account_hashes)s::bytea[], %(address_hashes)s::bytea[]) AS asked (
            account_hash, address_hash
        )
        ON
            login_attempts.account_hash = asked.account_hash
            AND login_attempts.address_hash = asked.address_hash
    ORDER BY login_attempts.account_hash, login_attempts.address_hash
    FOR UPDATE OF login_attempts
)

UPDATE login_attempts
SET
    failures = CASE
        WHEN
            %(is_right)s::boolean
            AND login_attempts.account_hash <> ''
            AND login_attempts.address_hash <> ''
            THEN 0
        ELSE greatest(login_attempts.failures - 1, 0)
    END,
    last_failure_at = coalesce(login_attempts.previous_failure_at, login_attempts.last_failure_at)
FROM counters
WHERE
    login_attempts.account_hash = counters.account_hash
    AND login_attempts.address_hash = counters.address_hash

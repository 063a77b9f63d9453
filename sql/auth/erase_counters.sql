-- Deletes the login attempt counters of an account.
-- @writes
-- @param account_hashes bytea[]
WITH counters AS (
    SELECT account_hash, address_hash
    FROM login_attempts
    WHERE account_hash = any(%(account_hashes)s::bytea[])
    ORDER BY account_hash, address_hash
    FOR UPDATE
)

DELETE FROM login_attempts
USING counters
WHERE
    login_attempts.account_hash = counters.account_hash
    AND login_attempts.address_hash = counters.address_hash

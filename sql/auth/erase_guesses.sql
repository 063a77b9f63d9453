-- Erases the counters of wrong guesses at an account.
WITH counters AS (
    SELECT account_hash, address_hash
    FROM guesses
    WHERE account_hash = any(%(account_hashes)s::bytea[])
    ORDER BY account_hash, address_hash
    FOR UPDATE
)

DELETE FROM guesses
USING counters
WHERE
    guesses.account_hash = counters.account_hash
    AND guesses.address_hash = counters.address_hash

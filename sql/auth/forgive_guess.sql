-- Takes a try back that turned out right: the account has no wrong guesses from that address any
-- more, and the counters that it shares with strangers have one less.
WITH counters AS (
    SELECT guesses.account_hash, guesses.address_hash
    FROM guesses
    INNER JOIN
        unnest(%(account_hashes)s::bytea[], %(address_hashes)s::bytea[]) AS asked (
            account_hash, address_hash
        )
        ON
            guesses.account_hash = asked.account_hash
            AND guesses.address_hash = asked.address_hash
    ORDER BY guesses.account_hash, guesses.address_hash
    FOR UPDATE OF guesses
)

UPDATE guesses
SET
    failures = CASE
        WHEN guesses.account_hash = '' OR guesses.address_hash = ''
            THEN greatest(guesses.failures - 1, 0)
        ELSE 0
    END
FROM counters
WHERE
    guesses.account_hash = counters.account_hash
    AND guesses.address_hash = counters.address_hash

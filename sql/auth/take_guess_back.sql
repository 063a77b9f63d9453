-- Takes a try back that was no wrong guess. After a right one the account has no wrong guesses from
-- that address any more; the counters that it shares with strangers have only this one less.
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
        WHEN %(is_right)s::boolean AND guesses.account_hash <> '' AND guesses.address_hash <> ''
            THEN 0
        ELSE greatest(guesses.failures - 1, 0)
    END
FROM counters
WHERE
    guesses.account_hash = counters.account_hash
    AND guesses.address_hash = counters.address_hash

-- Counts a try at a password as a wrong one before it is checked, in all of its counters or, where
-- one of them holds it up, in none; drops some counters that are a day old.
-- No wait: it was counted. Otherwise: whole seconds until the next try may be made.
WITH counters AS (
    SELECT guesses.account_hash, guesses.address_hash, guesses.failures, guesses.last_failure_at, asked.free
    FROM guesses
    INNER JOIN
        unnest(
            %(account_hashes)s::bytea[], %(address_hashes)s::bytea[], %(free)s::integer[]
        ) AS asked (account_hash, address_hash, free)
        ON
            guesses.account_hash = asked.account_hash
            AND guesses.address_hash = asked.address_hash
    ORDER BY guesses.account_hash, guesses.address_hash
    FOR UPDATE OF guesses
),

delay AS (
    SELECT
        max(
            last_failure_at
            + make_interval(secs => least(power(2, least(failures - free, 10)), 900))
            - clock_timestamp()
        ) FILTER (WHERE failures >= free) AS remaining
    FROM counters
),

counted AS (
    UPDATE guesses
    SET failures = guesses.failures + 1, last_failure_at = clock_timestamp()
    FROM counters, delay
    WHERE
        guesses.account_hash = counters.account_hash
        AND guesses.address_hash = counters.address_hash
        AND coalesce(delay.remaining <= interval '0', TRUE)
),

dropped AS (
    DELETE FROM guesses
    WHERE (account_hash, address_hash) IN (
        SELECT account_hash, address_hash
        FROM guesses
        WHERE last_failure_at <= clock_timestamp() - interval '25 hours'
        ORDER BY last_failure_at
        LIMIT 10
        FOR UPDATE SKIP LOCKED
    )
)

SELECT ceil(extract(EPOCH FROM remaining))::integer AS wait
FROM delay
WHERE remaining > interval '0'

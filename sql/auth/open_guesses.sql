-- Makes the counters of a try at a password where they are missing, and empties those whose last
-- wrong guess was a day ago. Sorted, so that two tries never wait for each other.
INSERT INTO guesses (account_hash, address_hash, failures, last_failure_at)
SELECT account_hash, address_hash, 0, clock_timestamp()
FROM
    unnest(%(account_hashes)s::bytea[], %(address_hashes)s::bytea[]) AS asked (
        account_hash, address_hash
    )
ORDER BY account_hash, address_hash
ON CONFLICT (account_hash, address_hash) DO UPDATE
    SET failures = 0, last_failure_at = excluded.last_failure_at
    WHERE guesses.last_failure_at <= clock_timestamp() - interval '24 hours'

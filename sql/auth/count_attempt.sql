-- Counts a password attempt as failed, before the password is checked, in all of its counters; in
-- none if one of them throttles it. Deletes up to 10 counters older than 25 hours.
-- No row: the attempt was counted. Otherwise wait: whole seconds until the next attempt is allowed.
-- is_first: no other attempt was throttled since the failure that this one has to wait for.
-- @writes
-- @param account_hashes bytea[]
-- @param address_hashes bytea[]
-- @param free integer[]
-- @returns wait integer, is_first boolean
WITH counters AS (
    SELECT
        login_attempts.account_hash,
        login_attempts.address_hash,
        next_attempt_at(
            login_attempts.failures, asked.free, login_attempts.last_failure_at
        ) AS next_attempt_at
    FROM login_attempts
    INNER JOIN
        unnest(
            %(account_hashes)s::bytea[], %(address_hashes)s::bytea[], %(free)s::integer[]
        ) AS asked (account_hash, address_hash, free)
        ON
            login_attempts.account_hash = asked.account_hash
            AND login_attempts.address_hash = asked.address_hash
    ORDER BY login_attempts.account_hash, login_attempts.address_hash
    FOR UPDATE OF login_attempts
),

delay AS (
    SELECT
        max(next_attempt_at) AS until,
        max(next_attempt_at) - clock_timestamp() AS remaining
    FROM counters
),

counted AS (
    UPDATE login_attempts
    SET
        failures = login_attempts.failures + 1,
        last_failure_at = clock_timestamp(),
        previous_failure_at = login_attempts.last_failure_at
    FROM counters, delay
    WHERE
        login_attempts.account_hash = counters.account_hash
        AND login_attempts.address_hash = counters.address_hash
        AND coalesce(delay.remaining <= interval '0', TRUE)
),

noted AS (
    UPDATE login_attempts
    SET noted_failure_at = login_attempts.last_failure_at
    FROM counters, delay
    WHERE
        login_attempts.account_hash = counters.account_hash
        AND login_attempts.address_hash = counters.address_hash
        AND counters.next_attempt_at = delay.until
        AND delay.remaining > interval '0'
        AND login_attempts.noted_failure_at IS DISTINCT FROM login_attempts.last_failure_at
    RETURNING login_attempts.account_hash
),

dropped AS (
    DELETE FROM login_attempts
    WHERE (account_hash, address_hash) IN (
        SELECT account_hash, address_hash
        FROM login_attempts
        WHERE last_failure_at <= clock_timestamp() - interval '25 hours'
        ORDER BY last_failure_at
        LIMIT 10
        FOR UPDATE SKIP LOCKED
    )
)

SELECT
    ceil(extract(EPOCH FROM delay.remaining))::integer AS wait,
    exists(SELECT FROM noted) AS is_first
FROM delay
WHERE delay.remaining > interval '0'

-- Lets no statement of this transaction, in which those of several owners travel, run or wait for a
-- lock for long.
SELECT
    set_config('statement_timeout', '100ms', TRUE) AS statement_timeout,
    set_config('lock_timeout', '50ms', TRUE) AS lock_timeout

-- Lowers the statement and lock timeouts of a group commit's transaction, which runs statements of
-- several owners.
-- @reads
-- @returns statement_timeout text, lock_timeout text
SELECT
    set_config('statement_timeout', '100ms', TRUE) AS statement_timeout,
    set_config('lock_timeout', '50ms', TRUE) AS lock_timeout

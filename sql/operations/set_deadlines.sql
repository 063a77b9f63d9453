-- Sets how long a statement of this connection may run, and wait for a lock.
SELECT
    set_config('statement_timeout', %(statement_timeout)s, FALSE) AS statement_timeout,
    set_config('lock_timeout', %(lock_timeout)s, FALSE) AS lock_timeout

-- Sets how long a statement of this connection may run and wait for a lock, how long a transaction
-- may hold its locks while nobody sends anything, that a statement is planned once, not at every
-- use, as no plan here depends on the parameters, and that it goes by its index also while a table
-- is small: the plan will still be in use when it has grown.
SELECT
    set_config('statement_timeout', %(statement_timeout)s, FALSE) AS statement_timeout,
    set_config('lock_timeout', %(lock_timeout)s, FALSE) AS lock_timeout,
    set_config('idle_in_transaction_session_timeout', %(idle_timeout)s, FALSE) AS idle_timeout,
    set_config('plan_cache_mode', 'force_generic_plan', FALSE) AS plan_cache_mode,
    set_config('enable_seqscan', 'off', FALSE) AS enable_seqscan

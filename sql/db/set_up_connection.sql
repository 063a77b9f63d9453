-- Sets a connection's timeouts and planner options: each prepared statement is planned once, as no
-- plan here depends on the parameters, and uses its index while the table is small, since the plan
-- is kept when the table has grown. Citus, which is_sharded tells, finds the shard of a statement by
-- its parameters, and so must not plan without them.
-- @reads
-- @param statement_timeout text
-- @param lock_timeout text
-- @param idle_timeout text
-- @returns statement_timeout text, lock_timeout text, idle_timeout text, plan_cache_mode text
-- @returns enable_seqscan text, is_sharded boolean
SELECT
    set_config('statement_timeout', %(statement_timeout)s, FALSE) AS statement_timeout,
    set_config('lock_timeout', %(lock_timeout)s, FALSE) AS lock_timeout,
    set_config('idle_in_transaction_session_timeout', %(idle_timeout)s, FALSE) AS idle_timeout,
    set_config(
        'plan_cache_mode',
        CASE
            WHEN current_setting('citus.version', TRUE) IS NULL THEN 'force_generic_plan'
            ELSE 'auto'
        END,
        FALSE
    ) AS plan_cache_mode,
    set_config('enable_seqscan', 'off', FALSE) AS enable_seqscan,
    current_setting('citus.version', TRUE) IS NOT NULL AS is_sharded

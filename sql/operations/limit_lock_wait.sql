-- Lets this transaction, in which several owners' changes travel, wait for no lock for long.
SELECT set_config('lock_timeout', '50ms', TRUE) AS lock_timeout

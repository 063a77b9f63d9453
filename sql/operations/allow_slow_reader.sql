-- Lets this transaction wait between statements as long as a client may take to read.
SELECT set_config('idle_in_transaction_session_timeout', '60s', TRUE) AS idle_timeout

-- Raises the transaction's idle timeout to the time that a client may take to read a response.
-- @reads
-- @returns idle_timeout text
SELECT set_config('idle_in_transaction_session_timeout', '60s', TRUE) AS idle_timeout

-- Raises the transaction's statement_timeout to the time that erasing a large account may take.
-- @reads
-- @returns statement_timeout text
SELECT set_config('statement_timeout', '120s', TRUE) AS statement_timeout

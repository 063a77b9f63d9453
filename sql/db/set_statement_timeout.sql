-- Sets the transaction's statement_timeout, for a statement that may read all rows of its owner.
-- @reads
-- @param statement_timeout text
-- @returns statement_timeout text
SELECT set_config('statement_timeout', %(statement_timeout)s, TRUE) AS statement_timeout

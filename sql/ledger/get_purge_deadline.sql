-- Reads the server's time minus older_than; ledger entries are stamped by the same clock.
-- @reads
-- @param older_than interval
-- @returns before timestamptz
SELECT clock_timestamp() - %(older_than)s::interval AS before

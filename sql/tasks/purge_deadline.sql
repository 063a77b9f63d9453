-- Reads the time that is older_than ago, by the clock that the ledger is written with.
SELECT clock_timestamp() - %(older_than)s::interval AS before

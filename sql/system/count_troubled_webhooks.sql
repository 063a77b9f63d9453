-- Counts the webhooks of all accounts that fail, and those that are disabled after that.
-- No row: never.
-- @reads
-- @returns failing bigint, disabled bigint
SELECT
    failing,
    disabled
FROM count_troubled_webhooks()

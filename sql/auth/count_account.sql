-- Counts the rows that erasing the owner's account will delete, by the names of their tables; those
-- that go with its ledger are counted by count_ledger.
-- No row: there are no such rows.
-- @reads
-- @param owner_id uuid
-- @returns what text, number bigint
SELECT owned.what, count(*) AS number
FROM (
    SELECT 'api_tokens' AS what FROM api_tokens
    WHERE api_tokens.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'second_factors' AS what FROM second_factors
    WHERE second_factors.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'known_addresses' AS what FROM known_addresses
    WHERE known_addresses.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'outgoing_mail' AS what FROM outgoing_mail
    WHERE outgoing_mail.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'account_tokens' AS what FROM account_tokens
    WHERE account_tokens.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'feeds' AS what FROM feeds
    WHERE feeds.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'imports' AS what FROM imports
    WHERE imports.owner_id = %(owner_id)s
    UNION ALL
    SELECT 'import_rows' AS what FROM import_rows
    WHERE import_rows.owner_id = %(owner_id)s
) AS owned
GROUP BY owned.what
ORDER BY owned.what

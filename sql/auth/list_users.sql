-- Lists up to limit accounts by e-mail after the key `after`, for the command line.
-- No row: there are no more accounts.
-- @reads
-- @param after text
-- @param limit integer
-- @returns id uuid, email text, email_key text, created_at text, disabled_at text null
SELECT
    id,
    email,
    email_key,
    utc(created_at) AS created_at,
    utc(disabled_at) AS disabled_at
FROM list_accounts(%(after)s, %(limit)s::integer)

-- Lists accounts by e-mail, from one on: for the command line.
-- No row: there are no more.
SELECT
    id,
    email,
    email_key,
    utc(created_at) AS created_at,
    utc(disabled_at) AS disabled_at
FROM list_accounts(%(after)s, %(limit)s::integer)

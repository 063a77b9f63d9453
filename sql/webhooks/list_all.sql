-- Lists up to limit webhooks of all accounts behind one of them, for the command line.
-- No row: there are no more.
-- @reads
-- @param after_owner_id uuid
-- @param after_id uuid
-- @param limit integer
-- @returns owner_id uuid, id uuid, host text, created_at text, undelivered bigint, failures integer
-- @returns disabled_at text null, disabled_reason text null
SELECT
    owner_id,
    id,
    host,
    utc(created_at) AS created_at,
    undelivered,
    failures,
    utc(disabled_at) AS disabled_at,
    disabled_reason
FROM list_webhooks(%(after_owner_id)s, %(after_id)s, %(limit)s::integer)

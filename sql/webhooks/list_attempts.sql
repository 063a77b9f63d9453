-- Lists the attempts of a webhook that are kept, the newest first.
-- No row: there has been none.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns version bigint, type text, at text, status integer null, milliseconds integer
-- @returns error text null
SELECT
    version,
    type,
    utc(at) AS at,
    status,
    milliseconds,
    error
FROM webhook_attempts
WHERE owner_id = %(owner_id)s AND webhook_id = %(id)s
ORDER BY number DESC

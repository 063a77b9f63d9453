-- Reads an import.
-- No row: no such import.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns id uuid, source text, is_dry_run boolean, state text, failure text null, steps_done integer
-- @returns steps integer null, created integer, skipped integer, failed integer, lists integer
-- @returns labels integer, filters integer, errors integer, warnings integer, created_at text
-- @returns finished_at text null
SELECT
    id, source, is_dry_run, state, failure, steps_done, steps, created, skipped, failed, lists, labels,
    filters, errors, warnings, utc(created_at) AS created_at, utc(finished_at) AS finished_at
FROM imports
WHERE owner_id = %(owner_id)s AND id = %(id)s

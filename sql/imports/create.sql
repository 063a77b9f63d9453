-- Adds an import, which a worker will begin.
-- No row: the owner is gone.
-- @writes
-- @param id uuid
-- @param source text
-- @param is_dry_run boolean
-- @param options json
-- @param file bytea
-- @param request_id text
-- @param session_id uuid
-- @param owner_id uuid
-- @returns id uuid, source text, is_dry_run boolean, state text, failure text null, steps_done integer
-- @returns steps integer null, created integer, skipped integer, failed integer, lists integer
-- @returns labels integer, filters integer, errors integer, warnings integer, created_at text
-- @returns finished_at text null
INSERT INTO imports (owner_id, id, source, is_dry_run, options, file, request_id, session_id)
SELECT
    id, %(id)s, %(source)s, %(is_dry_run)s, %(options)s, %(file)s, %(request_id)s,
    %(session_id)s
FROM users
WHERE id = %(owner_id)s
RETURNING
    id, source, is_dry_run, state, failure, steps_done, steps, created, skipped, failed, lists, labels,
    filters, errors, warnings, utc(created_at) AS created_at, utc(finished_at) AS finished_at

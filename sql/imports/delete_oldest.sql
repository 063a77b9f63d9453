-- Deletes the owner's imports that have ended, but for the newest ones up to kept, with their reports.
-- @writes
-- @param owner_id uuid
-- @param kept bigint
DELETE FROM imports
WHERE
    owner_id = %(owner_id)s
    AND finished_at IS NOT NULL
    AND id NOT IN (
        SELECT newest.id FROM imports AS newest
        WHERE newest.owner_id = %(owner_id)s AND newest.finished_at IS NOT NULL
        ORDER BY newest.created_at DESC, newest.id DESC
        LIMIT %(kept)s
    )

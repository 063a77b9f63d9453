-- Moves a webhook that is leased past entries that are not to be told, to delivered_version, and makes
-- it due again after the pause.
-- No row: the lease is over, or was ended by a change of the webhook.
-- @writes
-- @param delivered_version bigint
-- @param pause interval
-- @param owner_id uuid
-- @param id uuid
-- @param leased_until timestamptz
-- @returns leased_until timestamptz
UPDATE webhooks
SET
    delivered_version = %(delivered_version)s,
    next_attempt_at = statement_timestamp() + %(pause)s::interval
WHERE
    owner_id = %(owner_id)s
    AND id = %(id)s
    AND next_attempt_at = %(leased_until)s
RETURNING next_attempt_at AS leased_until

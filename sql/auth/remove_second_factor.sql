-- Removes the owner's second factor, be it on or not confirmed yet.
-- No row: there is none.
-- @writes
-- @param owner_id uuid
-- @returns is_on boolean
DELETE FROM second_factors
WHERE owner_id = %(owner_id)s
RETURNING confirmed_at IS NOT NULL AS is_on

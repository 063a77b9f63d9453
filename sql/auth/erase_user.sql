-- Deletes the owner's account and, by cascade, everything left that it owns.
-- @writes
-- @param owner_id uuid
DELETE FROM users
WHERE id = %(owner_id)s

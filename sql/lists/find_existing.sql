-- Finds those of the given lists that the owner has, also in the trash.
-- No row: the owner has none of them.
-- @reads
-- @param owner_id uuid
-- @param ids uuid[]
-- @returns id uuid
SELECT id
FROM lists
WHERE owner_id = %(owner_id)s AND id = ANY(%(ids)s::uuid[])

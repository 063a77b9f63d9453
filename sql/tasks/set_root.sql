-- Notes the root of the tree that tasks have come into with their parent, which takes no version.
-- @writes
-- @param root_id uuid
-- @param owner_id uuid
-- @param ids uuid[]
UPDATE tasks
SET root_id = %(root_id)s
WHERE owner_id = %(owner_id)s AND id = ANY(%(ids)s::uuid[])

-- Ends the feeds of lists, which are gone. Where no foreign key can lead from feeds to lists, this is
-- what ends them.
-- @writes
-- @param owner_id uuid
-- @param list_ids uuid[]
DELETE FROM feeds
WHERE owner_id = %(owner_id)s AND list_id = ANY(%(list_ids)s::uuid[])

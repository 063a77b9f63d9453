-- Lists the places of the items next to which one with id may go, in their order; without those in the
-- trash. Tasks have an order below each parent, and in each list for those without one.
-- No row: there are none.
-- @reads
-- @param owner_id uuid
-- @param kind text
-- @param parent_id uuid
-- @param list_id uuid
-- @param id uuid
-- @returns id uuid, position text
SELECT id, position
FROM items
WHERE
    owner_id = %(owner_id)s
    AND kind = %(kind)s
    AND parent_id IS NOT DISTINCT FROM %(parent_id)s::uuid
    AND (parent_id IS NOT NULL OR list_id IS NOT DISTINCT FROM %(list_id)s::uuid)
    AND id <> %(id)s
    AND deleted_at IS NULL
ORDER BY position, id

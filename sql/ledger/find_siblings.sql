-- Reads where an item may go in the order of its owner's items of a kind: the place of the item with
-- anchor_id, and the places next to it; without anchor_id the last place as previous, and the first
-- as next. Tasks have an order below each parent, and in each list for those without one. The item
-- with id itself is left out. Those in the trash are not, as they may come back; living_previous and
-- living_next leave them out.
-- No anchor: no such item. No previous, no next: nothing is on that side.
-- @reads
-- @param owner_id uuid
-- @param kind text
-- @param parent_id uuid
-- @param list_id uuid
-- @param id uuid
-- @param anchor_id uuid
-- @returns previous text null, living_previous text null, anchor text null, living_next text null
-- @returns next text null
WITH sibling AS (
    SELECT id, position, deleted_at
    FROM items
    WHERE
        owner_id = %(owner_id)s
        AND kind = %(kind)s
        AND parent_id IS NOT DISTINCT FROM %(parent_id)s::uuid
        AND (parent_id IS NOT NULL OR list_id IS NOT DISTINCT FROM %(list_id)s::uuid)
        AND id <> %(id)s
),

anchor AS MATERIALIZED (
    SELECT position
    FROM sibling
    WHERE id = %(anchor_id)s AND deleted_at IS NULL
),

placed AS (
    SELECT
        sibling.position,
        CASE WHEN sibling.deleted_at IS NULL THEN sibling.position END AS living,
        anchor.position AS anchor,
        anchor.position IS NULL OR sibling.position < anchor.position AS is_previous,
        anchor.position IS NULL OR sibling.position > anchor.position AS is_next
    FROM sibling
    LEFT JOIN anchor ON TRUE
)

SELECT
    max(CASE WHEN is_previous THEN position END) AS previous,
    max(CASE WHEN is_previous THEN living END) AS living_previous,
    max(anchor) AS anchor,
    min(CASE WHEN is_next THEN living END) AS living_next,
    min(CASE WHEN is_next THEN position END) AS next
FROM placed

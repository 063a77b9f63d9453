-- Counts the owner's feeds, and tells whether the owner has that list, outside the trash; null is every
-- list and always there.
-- @reads
-- @param owner_id uuid
-- @param list_id uuid
-- @returns number bigint, has_list boolean
SELECT
    (
        SELECT count(*) FROM feeds
        WHERE feeds.owner_id = %(owner_id)s
    ) AS number,
    %(list_id)s::uuid IS NULL OR EXISTS (
        SELECT FROM lists
        WHERE
            lists.owner_id = %(owner_id)s
            AND lists.id = %(list_id)s::uuid
            AND lists.deleted_at IS NULL
    ) AS has_list

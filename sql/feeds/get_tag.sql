-- Reads what changes with each change of the owner's items: the version with the count of
-- recomputations, and the ledger's hash; and the title of the feed's list, which is null without one.
-- No row: the owner is gone.
-- @reads
-- @param owner_id uuid
-- @param list_id uuid
-- @returns title text null, tag text, hash bytea
SELECT
    lists.title,
    list_tag(ledgers.version, ledgers.recompute_count) AS tag,
    ledgers.hash
FROM ledgers
LEFT JOIN lists ON lists.owner_id = %(owner_id)s AND lists.id = %(list_id)s::uuid
WHERE ledgers.owner_id = %(owner_id)s

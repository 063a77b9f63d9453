-- Reads what a feed has, without its tasks: of which list, as which component; and what changes with each
-- change of its owner's items: the version with the count of recomputations, and the ledger's hash.
-- No row: the feed has been ended, or the account is disabled.
-- @reads
-- @param owner_id uuid
-- @param id uuid
-- @returns list_id uuid null, title text null, component text, tag text, hash bytea
SELECT
    feeds.list_id,
    lists.title,
    feeds.component,
    list_tag(ledgers.version, ledgers.recompute_count) AS tag,
    ledgers.hash
FROM feeds
INNER JOIN users ON feeds.owner_id = users.id
INNER JOIN ledgers ON feeds.owner_id = ledgers.owner_id
LEFT JOIN lists
    ON
        feeds.owner_id = lists.owner_id
        AND feeds.list_id = lists.id
        AND lists.owner_id = %(owner_id)s
WHERE
    feeds.owner_id = %(owner_id)s
    AND feeds.id = %(id)s
    AND users.id = %(owner_id)s
    AND users.disabled_at IS NULL
    AND ledgers.owner_id = %(owner_id)s

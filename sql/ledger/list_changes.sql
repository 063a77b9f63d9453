-- Lists the items of the given kinds that changed after version since, each once in its current
-- state, in the order of changes.
-- No row: the owner is gone. No documents: nothing changed, or known_tags holds the tag.
-- version > 0 is the condition of the indexes on versions.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param kinds text[]
-- @param since bigint
-- @param known_tags text[]
-- @returns version bigint, pruned_version bigint, prune_count integer, tag text, documents json
-- @returns last json null
SELECT
    ledgers.version, ledgers.pruned_version, ledgers.prune_count,
    ledgers.feed_tag || '.' || ledgers.recompute_count AS tag,
    page_documents(page.documents, %(limit)s) AS documents,
    page_last(page.documents, %(limit)s) AS last
FROM ledgers
CROSS JOIN
    LATERAL (
        SELECT array_agg(listed.document) AS documents
        FROM (
            SELECT
                change_document(
                    items.version, items.kind, items.last_action, items.updated_at, items.id,
                    CASE WHEN items.deleted_at IS NULL THEN items.document END
                ) AS document
            FROM items
            WHERE
                items.owner_id = ledgers.owner_id
                AND items.owner_id = %(owner_id)s
                AND items.kind = ANY(%(kinds)s::text[])
                AND items.version > 0
                AND items.version > %(since)s
                AND ledgers.feed_tag || '.' || ledgers.recompute_count <> ALL(%(known_tags)s::text[])
            ORDER BY items.version
            LIMIT %(limit)s::integer + 1
        ) AS listed
    ) AS page
WHERE ledgers.owner_id = %(owner_id)s

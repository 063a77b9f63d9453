-- Lists the items of a kind in the trash before before_version, the most recently deleted first;
-- tasks whose list is in the trash, too, are left out.
-- No row: the owner is gone. No documents: the page is empty, or known_tags holds the tag.
-- version > 0 is the condition of the indexes on versions.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param kind text
-- @param before_version bigint
-- @param known_tags text[]
-- @returns version bigint, tag text, documents json, last json null
SELECT
    ledgers.version,
    ledgers.feed_tag || '.' || ledgers.recompute_count AS tag,
    page_documents(page.documents, %(limit)s) AS documents,
    page_last(page.documents, %(limit)s) AS last
FROM ledgers
CROSS JOIN
    LATERAL (
        SELECT array_agg(listed.document) AS documents
        FROM (
            SELECT
                (items.document::jsonb || jsonb_build_object('deleted_at', utc(items.deleted_at)))::json
                    AS document
            FROM items
            WHERE
                items.owner_id = ledgers.owner_id
                AND items.owner_id = %(owner_id)s
                AND items.kind = %(kind)s
                AND items.version > 0
                AND items.version < %(before_version)s
                AND items.deleted_at IS NOT NULL
                AND (items.list_id IS NULL OR items.list_id IN (
                    SELECT lists.id FROM lists
                    WHERE lists.owner_id = %(owner_id)s AND lists.deleted_at IS NULL
                ))
                AND ledgers.feed_tag || '.' || ledgers.recompute_count <> ALL(%(known_tags)s::text[])
            ORDER BY items.version DESC
            LIMIT %(limit)s::integer + 1
        ) AS listed
    ) AS page
WHERE ledgers.owner_id = %(owner_id)s

-- Lists lists in the owner's order, those behind after_position and after_id.
-- No row: the owner is gone. No documents: the page is empty, or known_tags holds the tag.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param after_position text
-- @param after_id uuid
-- @param is_archived boolean
-- @param known_tags text[]
-- @returns version bigint, tag text, documents json, last json null
SELECT
    ledgers.version,
    list_tag(ledgers.version, ledgers.recompute_count) AS tag,
    page_documents(page.documents, %(limit)s) AS documents,
    page_last(page.documents, %(limit)s) AS last
FROM ledgers
CROSS JOIN
    LATERAL (
        SELECT array_agg(listed.document) AS documents
        FROM (
            SELECT lists.document
            FROM lists
            WHERE
                lists.owner_id = ledgers.owner_id
                AND lists.owner_id = %(owner_id)s
                AND (lists.position, lists.id) > (%(after_position)s, %(after_id)s)
                AND lists.deleted_at IS NULL
                AND (%(is_archived)s::boolean IS NULL OR (lists.archived_at IS NOT NULL) = %(is_archived)s)
                AND list_tag(ledgers.version, ledgers.recompute_count) <> ALL(%(known_tags)s::text[])
            ORDER BY lists.position, lists.id
            LIMIT %(limit)s::integer + 1
        ) AS listed
    ) AS page
WHERE ledgers.owner_id = %(owner_id)s

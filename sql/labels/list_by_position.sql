-- Lists labels in the owner's order, those behind after_position and after_id.
-- No row: the owner is gone. No documents: the page is empty, or known_tags holds the tag.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param after_position text
-- @param after_id uuid
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
            SELECT labels.document
            FROM labels
            WHERE
                labels.owner_id = ledgers.owner_id
                AND labels.owner_id = %(owner_id)s
                AND (labels.position, labels.id) > (%(after_position)s, %(after_id)s)
                AND labels.deleted_at IS NULL
                AND list_tag(ledgers.version, ledgers.recompute_count) <> ALL(%(known_tags)s::text[])
            ORDER BY labels.position, labels.id
            LIMIT %(limit)s::integer + 1
        ) AS listed
    ) AS page
WHERE ledgers.owner_id = %(owner_id)s

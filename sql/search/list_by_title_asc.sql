-- Lists tasks after after_title and after_id, by title ascending in code point order.
-- No row: the owner is gone. No documents: the page is empty, or known_tags holds the tag, or the
-- ledger is as it was when the page with known_hash and known_tag was read.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param after_title text
-- @param after_id uuid
-- @param list_id uuid
-- @param words bytea[]
-- @param filter jsonpath
-- @param filter_values jsonb
-- @param known_tags text[]
-- @param known_tag text
-- @param known_hash bytea
-- @returns version bigint, hash bytea, tag text, documents json, last json null
SELECT
    ledgers.version,
    ledgers.hash,
    list_tag(ledgers.version, ledgers.recompute_count) AS tag,
    page_documents(page.documents, %(limit)s) AS documents,
    page_last(page.documents, %(limit)s) AS last
FROM ledgers
CROSS JOIN
    LATERAL (
        SELECT array_agg(listed.document) AS documents
        FROM (
            SELECT tasks.document
            FROM tasks
            WHERE
                tasks.owner_id = ledgers.owner_id
                AND tasks.owner_id = %(owner_id)s
                AND (tasks.title, tasks.id) > (%(after_title)s, %(after_id)s)
                AND tasks.deleted_at IS NULL
                AND (tasks.list_id IS NULL OR tasks.list_id IN (
                    SELECT lists.id FROM lists
                    WHERE
                        lists.owner_id = %(owner_id)s
                        AND lists.deleted_at IS NULL
                        AND (lists.archived_at IS NULL OR lists.id = %(list_id)s)
                ))
                AND matches(tasks.title_folded, tasks.description_folded, %(words)s)
                AND passes(tasks.facets, %(filter)s, %(filter_values)s)
                AND NOT is_known(
                    list_tag(ledgers.version, ledgers.recompute_count), ledgers.hash,
                    %(known_tags)s, %(known_tag)s, %(known_hash)s
                )
            ORDER BY tasks.title, tasks.id
            LIMIT %(limit)s::integer + 1
        ) AS listed
    ) AS page
WHERE ledgers.owner_id = %(owner_id)s

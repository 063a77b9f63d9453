-- Lists tasks after after_due_at and after_id, those due first; those that are not due come last, by
-- id, those after after_other_id. No after_due_at: the position is among these.
-- No row: the owner is gone. No documents: the page is empty, or known_tags holds the tag, or the
-- ledger is as it was when the page with known_hash and known_tag was read.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param after_due_at timestamptz
-- @param after_id uuid
-- @param list_id uuid
-- @param words bytea[]
-- @param filter jsonpath
-- @param filter_values jsonb
-- @param known_tags text[]
-- @param known_tag text
-- @param known_hash bytea
-- @param after_other_id uuid
-- @returns version bigint, hash bytea, tag text, documents json, last json null
SELECT
    ledgers.version,
    ledgers.hash,
    list_tag(ledgers.version, ledgers.recompute_count) AS tag,
    page_documents(due.documents || other.documents, %(limit)s) AS documents,
    page_last(due.documents || other.documents, %(limit)s) AS last
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
                AND tasks.due_at IS NOT NULL
                AND (tasks.due_at, tasks.id) > (%(after_due_at)s::timestamptz, %(after_id)s)
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
            ORDER BY tasks.due_at, tasks.id
            LIMIT %(limit)s::integer + 1
        ) AS listed
    ) AS due
CROSS JOIN
    LATERAL (
        SELECT array_agg(listed.document) AS documents
        FROM (
            SELECT tasks.document
            FROM tasks
            WHERE
                tasks.owner_id = ledgers.owner_id
                AND tasks.owner_id = %(owner_id)s
                AND tasks.due_at IS NULL
                AND tasks.id > %(after_other_id)s
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
            ORDER BY tasks.due_at, tasks.id
            LIMIT greatest(%(limit)s + 1 - coalesce(cardinality(due.documents), 0), 0)
        ) AS listed
    ) AS other
WHERE ledgers.owner_id = %(owner_id)s

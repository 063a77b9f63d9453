-- Lists the completions of a task before before_version, the newest first.
-- No row: no such task, or its list is in the trash. No documents: there are none on this page, or
-- known_tags holds the ledger's feed_tag.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param id uuid
-- @param before_version bigint
-- @param known_tags text[]
-- @returns version bigint, tag text, documents json, last json null
SELECT
    ledgers.version,
    ledgers.feed_tag AS tag,
    page_documents(page.documents, %(limit)s) AS documents,
    page_last(page.documents, %(limit)s) AS last
FROM tasks
INNER JOIN ledgers ON tasks.owner_id = ledgers.owner_id
CROSS JOIN
    LATERAL (
        SELECT array_agg(listed.document) AS documents
        FROM (
            SELECT
                completion_document(
                    completions.occurrence, completions.completed_at, completions.version,
                    completions.undone_version
                ) AS document
            FROM completions
            WHERE
                completions.owner_id = %(owner_id)s
                AND completions.task_id = %(id)s
                AND completions.version < %(before_version)s
                AND ledgers.feed_tag <> ALL(%(known_tags)s::text[])
            ORDER BY completions.version DESC
            LIMIT %(limit)s::integer + 1
        ) AS listed
    ) AS page
WHERE
    tasks.owner_id = %(owner_id)s
    AND tasks.id = %(id)s
    AND tasks.deleted_at IS NULL
    AND (tasks.list_id IS NULL OR EXISTS (
        SELECT FROM lists
        WHERE lists.owner_id = %(owner_id)s AND lists.id = tasks.list_id AND lists.deleted_at IS NULL
    ))
    AND ledgers.owner_id = %(owner_id)s

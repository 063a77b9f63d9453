-- Lists tasks after after_id, the oldest first; ids sort in the order of creation.
-- No row: the owner is gone. No documents: the page is empty, or known_tags holds the ledger's
-- version, or known_hash is the ledger's hash.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param after_id uuid
-- @param is_completed boolean
-- @param patterns text[]
-- @param known_tags text[]
-- @param known_hash bytea
-- @returns version bigint, hash bytea, documents json, last json null
SELECT
    ledgers.version,
    ledgers.hash,
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
                AND tasks.id > %(after_id)s
                AND tasks.deleted_at IS NULL
                AND (%(is_completed)s::boolean IS NULL OR tasks.is_completed = %(is_completed)s)
                AND (
                    %(patterns)s::text[] IS NULL
                    OR tasks.title_folded || ' ' || tasks.description_folded LIKE ALL(%(patterns)s)
                )
                AND ledgers.version::text <> ALL(%(known_tags)s::text[])
                AND ledgers.hash IS DISTINCT FROM %(known_hash)s::bytea
            ORDER BY tasks.id
            LIMIT %(limit)s::integer + 1
        ) AS listed
    ) AS page
WHERE ledgers.owner_id = %(owner_id)s

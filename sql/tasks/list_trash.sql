-- Lists the tasks in the trash before before_version, the most recently deleted first.
-- No row: the owner is gone. No documents: the page is empty, or known_tags holds the ledger's tag.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param before_version bigint
-- @param known_tags text[]
-- @returns version bigint, pruned_version bigint, documents json null, next_position json null
SELECT
    ledgers.version,
    ledgers.pruned_version,
    page.documents,
    page.next_position
FROM ledgers
CROSS JOIN
    LATERAL (
        SELECT
            array_to_json(
                trim_array(array_agg(deleted.document), greatest(count(*) - %(limit)s, 0)::integer)
            ) AS documents,
            CASE
                WHEN
                    count(*) > %(limit)s
                    THEN json_build_array((array_agg(deleted.version))[%(limit)s])
            END AS next_position
        FROM (
            SELECT
                tasks.version,
                tasks.document::jsonb
                || jsonb_build_object('deleted_at', utc(tasks.deleted_at)) AS document
            FROM tasks
            WHERE
                tasks.owner_id = ledgers.owner_id
                AND tasks.owner_id = %(owner_id)s
                AND tasks.version > 0
                AND tasks.version < %(before_version)s
                AND tasks.deleted_at IS NOT NULL
                AND concat(ledgers.version, '-', ledgers.pruned_version)
                <> ALL(%(known_tags)s::text[])
            ORDER BY tasks.version DESC
            LIMIT %(limit)s::integer + 1
        ) AS deleted
    ) AS page
WHERE ledgers.owner_id = %(owner_id)s

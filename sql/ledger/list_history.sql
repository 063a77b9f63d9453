-- Lists the ledger entries of an item before before_version, the newest first.
-- No row: no such item, not even in the trash. No documents: all are pruned or on earlier
-- pages, or known_tags holds the ledger's feed_tag.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param id uuid
-- @param before_version bigint
-- @param known_tags text[]
-- @param kind text
-- @returns version bigint, tag text, documents json, last json null
SELECT
    ledgers.version,
    ledgers.feed_tag AS tag,
    page_documents(page.documents, %(limit)s) AS documents,
    page_last(page.documents, %(limit)s) AS last
FROM items
INNER JOIN ledgers ON items.owner_id = ledgers.owner_id
CROSS JOIN
    LATERAL (
        SELECT array_agg(listed.document) AS documents
        FROM (
            SELECT
                change_document(
                    ledger_entries.version, ledger_entries.kind, ledger_entries.action,
                    ledger_entries.at, ledger_entries.item_id, ledger_entries.item
                ) AS document
            FROM ledger_entries
            WHERE
                ledger_entries.owner_id = ledgers.owner_id
                AND ledger_entries.owner_id = %(owner_id)s
                AND ledger_entries.item_id = %(id)s
                AND ledger_entries.version < %(before_version)s
                AND ledgers.feed_tag <> ALL(%(known_tags)s::text[])
            ORDER BY ledger_entries.version DESC
            LIMIT %(limit)s::integer + 1
        ) AS listed
    ) AS page
WHERE
    items.owner_id = %(owner_id)s
    AND items.kind = %(kind)s
    AND items.id = %(id)s
    AND ledgers.owner_id = %(owner_id)s

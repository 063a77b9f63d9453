-- Recomputes the hash chain of up to limit entries after after_version in the owner's ledger, and
-- compares the newest entry of each item with the item. Reports the first failure as problem:
--   missing    there is no entry of that version
--   altered    its hash does not match its content and the previous hash
--   beyond     its version is above the ledger's
--   head       its hash differs from the ledger's
--   item       its item is missing, or differs from the entry
-- No row: no such ledger. No last_version: there are no entries after after_version. No version and
-- no problem: no failure.
-- @reads
-- @param owner_id uuid
-- @param after_version bigint
-- @param limit bigint
-- @returns entries bigint, last_version bigint null, version bigint null, problem text null
-- @returns hash bytea
WITH ledger AS (
    SELECT
        owner_id,
        version,
        hash,
        pruned_version,
        pruned_hash
    FROM ledgers
    WHERE owner_id = %(owner_id)s
),

beginning AS (
    SELECT
        ledger.owner_id,
        greatest(ledger.pruned_version, %(after_version)s) AS version,
        coalesce(ledger_entries.hash, ledger.pruned_hash) AS hash
    FROM ledger
    LEFT JOIN ledger_entries
        ON
            ledger.owner_id = ledger_entries.owner_id
            AND ledger.pruned_version < ledger_entries.version
            AND ledger_entries.owner_id = %(owner_id)s
            AND ledger_entries.version = %(after_version)s
),

link AS (
    SELECT
        ledger_entries.owner_id,
        ledger_entries.version,
        ledger_entries.kind,
        ledger_entries.item_id,
        ledger_entries.action,
        ledger_entries.item,
        ledger_entries.hash,
        lag(ledger_entries.version, 1, beginning.version) OVER chain + 1 AS next_version,
        ledger_hash(
            lag(ledger_entries.hash, 1, beginning.hash) OVER chain,
            ledger_entries.version,
            ledger_entries.kind,
            ledger_entries.item_id,
            ledger_entries.action,
            ledger_entries.at,
            ledger_entries.request_id,
            ledger_entries.session_id,
            ledger_entries.item
        ) AS next_hash
    FROM beginning
    INNER JOIN ledger_entries ON beginning.owner_id = ledger_entries.owner_id
    WHERE
        ledger_entries.owner_id = %(owner_id)s
        AND ledger_entries.version > beginning.version
    WINDOW chain AS (ORDER BY ledger_entries.version)
    ORDER BY ledger_entries.version
    LIMIT %(limit)s
),

tail AS (
    SELECT
        count(link.version) AS entries,
        max(link.version) AS last_version
    FROM link
),

failure AS (
    SELECT
        least(link.version, link.next_version) AS version,
        CASE
            WHEN link.version <> link.next_version THEN 'missing'
            WHEN link.version > ledger.version THEN 'beyond'
            WHEN link.hash <> link.next_hash THEN 'altered'
            WHEN link.version = ledger.version AND link.hash <> ledger.hash THEN 'head'
            WHEN
                coalesce(items.version, 0) < link.version
                AND NOT EXISTS (
                    SELECT 1
                    FROM ledger_entries
                    WHERE
                        ledger_entries.owner_id = %(owner_id)s
                        AND ledger_entries.item_id = link.item_id
                        AND ledger_entries.kind = link.kind
                        AND ledger_entries.version > link.version
                )
                THEN 'item'
            WHEN
                items.version = link.version
                AND (
                    items.last_action <> link.action
                    OR (link.action <> 'delete' AND NOT is_kept(link.item, items.document))
                )
                THEN 'item'
        END AS problem
    FROM link
    INNER JOIN ledger ON link.owner_id = ledger.owner_id
    LEFT JOIN items
        ON link.item_id = items.id AND link.kind = items.kind AND items.owner_id = %(owner_id)s
    UNION ALL
    SELECT
        coalesce(tail.last_version, beginning.version) + 1 AS version,
        'missing' AS problem
    FROM tail
    CROSS JOIN beginning
    INNER JOIN ledger ON beginning.owner_id = ledger.owner_id
    WHERE
        tail.entries < %(limit)s
        AND coalesce(tail.last_version, beginning.version) < ledger.version
    UNION ALL
    SELECT
        beginning.version,
        'head' AS problem
    FROM beginning
    INNER JOIN ledger ON beginning.owner_id = ledger.owner_id
    WHERE beginning.version = ledger.version AND beginning.hash <> ledger.hash
),

first_failure AS (
    SELECT
        version,
        problem
    FROM failure
    WHERE problem IS NOT NULL
    ORDER BY version
    LIMIT 1
)

SELECT
    tail.entries,
    tail.last_version,
    first_failure.version,
    first_failure.problem,
    ledger.hash
FROM ledger
CROSS JOIN tail
LEFT JOIN first_failure ON TRUE

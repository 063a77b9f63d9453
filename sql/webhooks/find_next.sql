-- Finds what a webhook that is leased is to be told next, among the next entries up to limit: the
-- first that its types and its list let pass. A list's events are those of the list, of its reminders,
-- and of the tasks that are in it, or were before the change.
-- No row: the lease is over, or was ended by a change of the webhook. No version: none of these
-- entries is to be told; examined_version is the last of them. A pruned_version above
-- delivered_version: entries are lost.
-- @reads
-- @param limit integer
-- @param owner_id uuid
-- @param id uuid
-- @param leased_until timestamptz
-- @returns url text, types text[] null, secret bytea, previous_secret bytea null, failures integer
-- @returns delivered_version bigint, pruned_version bigint, examined_version bigint
-- @returns version bigint null, kind text null, item_id uuid null, action text null, type text null
-- @returns at text null, item json null
WITH webhook AS (
    SELECT
        webhooks.url,
        webhooks.types,
        webhooks.list_id,
        webhooks.secret,
        webhooks.previous_secret,
        webhooks.previous_secret_until,
        webhooks.failures,
        webhooks.delivered_version,
        ledgers.pruned_version,
        least(
            ledgers.version, webhooks.delivered_version + %(limit)s::integer
        ) AS examined_version
    FROM webhooks
    INNER JOIN ledgers ON webhooks.owner_id = ledgers.owner_id
    WHERE
        webhooks.owner_id = %(owner_id)s
        AND ledgers.owner_id = %(owner_id)s
        AND webhooks.id = %(id)s
        AND webhooks.next_attempt_at = %(leased_until)s
        AND webhooks.disabled_at IS NULL
)

SELECT
    webhook.url,
    webhook.types,
    webhook.secret,
    CASE
        WHEN webhook.previous_secret_until > statement_timestamp() THEN webhook.previous_secret
    END AS previous_secret,
    webhook.failures,
    webhook.delivered_version,
    webhook.pruned_version,
    webhook.examined_version,
    entry.version,
    entry.kind,
    entry.item_id,
    entry.action,
    webhook_event(entry.kind, entry.action) AS type,
    utc(entry.at) AS at,
    entry.item
FROM webhook
LEFT JOIN
    LATERAL (
        SELECT
            ledger_entries.version,
            ledger_entries.kind,
            ledger_entries.item_id,
            ledger_entries.action,
            ledger_entries.at,
            ledger_entries.item
        FROM ledger_entries
        LEFT JOIN
            LATERAL (
                SELECT earlier.item ->> 'list_id' AS list_id
                FROM ledger_entries AS earlier
                WHERE
                    earlier.owner_id = %(owner_id)s
                    AND earlier.item_id = ledger_entries.item_id
                    AND earlier.kind = ledger_entries.kind
                    AND earlier.version < ledger_entries.version
                    AND earlier.item IS NOT NULL
                    AND webhook.list_id IS NOT NULL
                ORDER BY earlier.version DESC
                LIMIT 1
            ) AS before
            ON TRUE
        LEFT JOIN tasks
            ON
                tasks.owner_id = %(owner_id)s
                AND webhook.list_id IS NOT NULL
                AND tasks.id = CASE ledger_entries.kind
                    WHEN 'reminder' THEN (ledger_entries.item ->> 'task_id')::uuid
                    WHEN 'task' THEN
                        CASE WHEN ledger_entries.item IS NULL THEN ledger_entries.item_id END
                END
        WHERE
            ledger_entries.owner_id = %(owner_id)s
            AND ledger_entries.version > webhook.delivered_version
            AND ledger_entries.version <= webhook.examined_version
            AND (
                webhook.types IS NULL
                OR webhook_event(ledger_entries.kind, ledger_entries.action) = ANY(webhook.types)
            )
            AND (
                webhook.list_id IS NULL
                OR (ledger_entries.kind = 'list' AND ledger_entries.item_id = webhook.list_id)
                OR ledger_entries.item ->> 'list_id' = webhook.list_id::text
                OR before.list_id = webhook.list_id::text
                OR tasks.list_id = webhook.list_id
            )
        ORDER BY ledger_entries.version ASC
        LIMIT 1
    ) AS entry
    ON TRUE

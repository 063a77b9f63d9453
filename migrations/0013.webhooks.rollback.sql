DROP VIEW audit_rows_per_owner;
DO $$
BEGIN
    IF to_regrole('ownrow_auditor') IS NOT NULL THEN
        DROP POLICY worker ON ledgers;
        DROP POLICY worker ON users;
    END IF;
END
$$;
DROP FUNCTION list_webhooks(uuid, uuid, integer);
DROP FUNCTION due_webhooks(integer);
DROP FUNCTION count_troubled_webhooks();
DROP TABLE webhook_attempts;
DROP TABLE webhooks;
DROP FUNCTION webhook_event(text, text);

CREATE VIEW audit_rows_per_owner WITH (security_invoker = TRUE) AS
WITH owned AS (
    SELECT owner_id, kind || CASE WHEN deleted_at IS NULL THEN '' ELSE ' in trash' END AS what
    FROM items
    UNION ALL
    SELECT owner_id, 'completion' AS what FROM completions
    UNION ALL
    SELECT owner_id, 'ledger entry' AS what FROM ledger_entries
    UNION ALL
    SELECT owner_id, 'session' AS what FROM sessions
    UNION ALL
    SELECT owner_id, 'API token' AS what FROM api_tokens
    UNION ALL
    SELECT owner_id, 'second factor' AS what FROM second_factors
    UNION ALL
    SELECT owner_id, 'idempotency key' AS what FROM idempotency_keys
    UNION ALL
    SELECT owner_id, 'known address' AS what FROM known_addresses
)

SELECT
    users.id AS owner_id,
    users.email,
    owned.what,
    count(*) AS number
FROM users
INNER JOIN owned ON users.id = owned.owner_id
GROUP BY users.id, users.email, owned.what;

COMMENT ON VIEW audit_rows_per_owner IS 'Number of rows per owner and kind.';

DO $$
BEGIN
    IF to_regrole('ownrow_auditor') IS NOT NULL THEN
        GRANT SELECT ON audit_rows_per_owner TO ownrow_auditor;
    END IF;
END
$$;

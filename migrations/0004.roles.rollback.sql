-- The roles are kept: other databases of the server may use them. Their objects and privileges in
-- this database go with the tables; applying 0004 again restores them.
SET LOCAL ROLE NONE;

DROP TRIGGER ledgers_kept ON ledgers;
DROP FUNCTION keep_ledger_of_living_user();
DROP FUNCTION list_accounts(text, integer);
DROP FUNCTION password_hash_of(uuid);
DROP FUNCTION find_credential(text, bytea[]);

DO $$
BEGIN
    IF to_regrole('ownrow_app') IS NULL THEN
        RETURN;
    END IF;
    IF pg_has_role('ownrow_owner', 'USAGE') THEN
        ALTER FUNCTION record_change() OWNER TO ownrow_owner;
    END IF;
    REVOKE ALL ON ALL TABLES IN SCHEMA public
    FROM ownrow_app, ownrow_auditor, ownrow_lookup, ownrow_ledger;
    REVOKE ALL ON SCHEMA public FROM ownrow_app, ownrow_auditor, ownrow_lookup, ownrow_ledger;
END
$$;

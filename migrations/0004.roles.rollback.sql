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
    IF to_regrole('ownrow_app') IS NOT NULL THEN
        REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ownrow_app, ownrow_auditor, ownrow_lookup;
        REVOKE ALL ON SCHEMA public FROM ownrow_app, ownrow_auditor, ownrow_lookup;
    END IF;
END
$$;

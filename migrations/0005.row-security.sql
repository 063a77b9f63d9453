-- Row security policies, as a second check behind the owner_id predicates: when enabled, a connection
-- sees only the rows of app.owner_id, even as the tables' owner. `flask db row-security on` enables
-- them; they are off by default as they make each statement slower (specs/row-security.md).
-- depends: 0004.roles

CREATE FUNCTION current_owner() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.owner_id', TRUE), '')::uuid;

COMMENT ON FUNCTION current_owner() IS
'Owner that the transaction acts for (app.owner_id); null, which matches no row, where it is not set.';

-- Where Citus shards the database, set_config() has an effect on this node only, and SET LOCAL on the
-- others as well. On plain PostgreSQL this is set_config().
CREATE FUNCTION set_on_nodes(name text, value text) RETURNS text
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_catalog.set_config(name, value, TRUE);
    IF pg_catalog.current_setting('citus.version', TRUE) IS NOT NULL THEN
        SET LOCAL citus.propagate_set_commands = 'local';
        EXECUTE pg_catalog.format('SET LOCAL %I = %L', name, value);
    END IF;
    RETURN value;
END
$$;

COMMENT ON FUNCTION set_on_nodes(text, text) IS
'Sets a setting until the transaction ends, on every node that its statements go to; returns the value.';

CREATE POLICY owner ON users USING (id = current_owner());
CREATE POLICY owner ON credentials USING (owner_id = current_owner());
CREATE POLICY owner ON sessions USING (owner_id = current_owner());
CREATE POLICY owner ON known_addresses USING (owner_id = current_owner());
CREATE POLICY owner ON ledgers USING (owner_id = current_owner());
CREATE POLICY owner ON tasks USING (owner_id = current_owner());
CREATE POLICY owner ON ledger_entries USING (owner_id = current_owner());
CREATE POLICY owner ON idempotency_keys USING (owner_id = current_owner());

ALTER TABLE users FORCE ROW LEVEL SECURITY;
ALTER TABLE credentials FORCE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
ALTER TABLE known_addresses FORCE ROW LEVEL SECURITY;
ALTER TABLE ledgers FORCE ROW LEVEL SECURITY;
ALTER TABLE tasks FORCE ROW LEVEL SECURITY;
ALTER TABLE ledger_entries FORCE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;

DO $$
BEGIN
    IF to_regrole('ownrow_lookup') IS NULL THEN
        RETURN;
    END IF;
    CREATE POLICY lookup ON users FOR SELECT TO ownrow_lookup USING (TRUE);
    CREATE POLICY lookup ON credentials FOR SELECT TO ownrow_lookup USING (TRUE);
    CREATE POLICY lookup ON known_addresses FOR SELECT TO ownrow_lookup USING (TRUE);
    -- The trigger acts for the owner of the row that was changed, which the policies have let pass.
    CREATE POLICY ledger ON ledgers TO ownrow_ledger USING (TRUE) WITH CHECK (TRUE);
    CREATE POLICY ledger ON ledger_entries FOR INSERT TO ownrow_ledger WITH CHECK (TRUE);
    CREATE POLICY audit ON users FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON credentials FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON sessions FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON known_addresses FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON ledgers FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON tasks FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON ledger_entries FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON idempotency_keys FOR SELECT TO ownrow_auditor USING (TRUE);
END
$$;

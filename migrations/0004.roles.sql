-- Roles with least privilege:
--   ownrow_owner     owns every object; can't log in
--   ownrow_migrator  changes the schema as ownrow_owner; also prunes ledgers
--   ownrow_app       the service: no DDL, no access to password hashes, no way to write the ledger
--   ownrow_auditor   reads everything except secrets, writes nothing
--   ownrow_lookup    owns the SECURITY DEFINER functions that read what ownrow_app can't; can't log in
--   ownrow_ledger    owns record_change(): moves heads of ledgers and adds entries; can't log in
-- Roles belong to the whole server: missing ones are created, none is ever dropped. Without the
-- right to create roles the migration logs a warning and leaves a schema without roles.
-- depends: 0003.tasks

SET LOCAL ROLE NONE;

CREATE FUNCTION find_credential(email_key text, address_hashes bytea[])
RETURNS TABLE (
    id uuid,
    email text,
    created_at timestamptz,
    updated_at timestamptz,
    disabled_at timestamptz,
    password_hash text,
    password_changed_at timestamptz,
    is_known_address boolean
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        users.id,
        users.email,
        users.created_at,
        users.updated_at,
        users.disabled_at,
        credentials.password_hash,
        credentials.changed_at,
        EXISTS (
            SELECT FROM public.known_addresses
            WHERE
                known_addresses.owner_id = users.id
                AND known_addresses.address_hash = ANY(find_credential.address_hashes)
        )
    FROM public.users
    INNER JOIN public.credentials ON users.id = credentials.owner_id
    WHERE users.email_key = find_credential.email_key
$$;

COMMENT ON FUNCTION find_credential(text, bytea[]) IS
'The account of an e-mail, with its password hash and whether it has logged in from an address.';

CREATE FUNCTION password_hash_of(owner_id uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT credentials.password_hash
    FROM public.credentials
    WHERE credentials.owner_id = password_hash_of.owner_id
$$;

COMMENT ON FUNCTION password_hash_of(uuid) IS
'The password hash of one owner, for checking the password again within a session.';

CREATE FUNCTION list_accounts(after text, number integer)
RETURNS TABLE (
    id uuid, email text, email_key text, created_at timestamptz, disabled_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT users.id, users.email, users.email_key, users.created_at, users.disabled_at
    FROM public.users
    WHERE users.email_key > list_accounts.after
    ORDER BY users.email_key
    LIMIT list_accounts.number
$$;

COMMENT ON FUNCTION list_accounts(text, integer) IS
'A page of all accounts by e-mail (keyset pagination), for the command line.';

CREATE FUNCTION keep_ledger_of_living_user() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM public.users WHERE users.id = OLD.owner_id) THEN
        RAISE EXCEPTION 'a ledger can be deleted only together with its account'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;

-- Deferred to the commit: erasing an account deletes the ledger before the user.
CREATE CONSTRAINT TRIGGER ledgers_kept AFTER DELETE ON ledgers
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION keep_ledger_of_living_user();

REVOKE EXECUTE ON FUNCTION find_credential(text, bytea[]) FROM public;
REVOKE EXECUTE ON FUNCTION password_hash_of(uuid) FROM public;
REVOKE EXECUTE ON FUNCTION list_accounts(text, integer) FROM public;
REVOKE EXECUTE ON FUNCTION keep_ledger_of_living_user() FROM public;

-- Several databases of one server may be migrated at once: a role created meanwhile is no error.
DO $$
DECLARE
    statement text;
    statements text[] := ARRAY[
        'CREATE ROLE ownrow_owner NOLOGIN',
        'CREATE ROLE ownrow_lookup NOLOGIN',
        'CREATE ROLE ownrow_ledger NOLOGIN',
        'CREATE ROLE ownrow_migrator LOGIN',
        'CREATE ROLE ownrow_app LOGIN',
        'CREATE ROLE ownrow_auditor LOGIN',
        'GRANT ownrow_owner, ownrow_lookup, ownrow_ledger TO ownrow_migrator',
        'ALTER ROLE ownrow_migrator SET role = ''ownrow_owner''',
        'ALTER ROLE ownrow_app SET statement_timeout = ''2s''',
        'ALTER ROLE ownrow_app SET lock_timeout = ''1s''',
        'ALTER ROLE ownrow_app SET idle_in_transaction_session_timeout = ''10s''',
        'ALTER ROLE ownrow_auditor SET default_transaction_read_only = on'
    ];
BEGIN
    IF to_regrole('ownrow_auditor') IS NULL OR to_regrole('ownrow_ledger') IS NULL THEN
        FOREACH statement IN ARRAY statements LOOP
            BEGIN
                EXECUTE statement;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END LOOP;
    END IF;
    IF NOT (
        pg_has_role('ownrow_owner', 'USAGE')
        AND pg_has_role('ownrow_lookup', 'USAGE')
        AND pg_has_role('ownrow_ledger', 'USAGE')
    ) THEN
        EXECUTE format('GRANT ownrow_owner, ownrow_lookup, ownrow_ledger TO %I', session_user);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'the roles were not made: %', SQLERRM
        USING HINT = 'Roll back this migration and those after it, and apply them again as a role with CREATEROLE: see specs/dba.md.';
END
$$;

DO $$
DECLARE
    handed_over regclass;
    tables text[] := ARRAY[
        'users', 'credentials', 'sessions', 'ended_sessions', 'login_attempts', 'known_addresses',
        'ledgers', 'tasks', 'ledger_entries', 'idempotency_keys', 'items',
        '_yoyo_migration', '_yoyo_log', '_yoyo_version', 'yoyo_lock'
    ];
    routine regprocedure;
    routines text[] := ARRAY[
        'session_lifetime', 'session_idle_time', 'refresh_grace_time', 'next_attempt_at',
        'idempotency_key_lifetime',
        'utc', 'uuidv7_at', 'next_change_at', 'trimmed', 'ledger_hash', 'change_document',
        'page_documents', 'page_last', 'task_document', 'keep_ledger_entries'
    ];
    lookups text[] := ARRAY[
        'find_credential', 'password_hash_of', 'list_accounts', 'keep_ledger_of_living_user'
    ];
BEGIN
    IF to_regrole('ownrow_owner') IS NULL OR NOT pg_has_role('ownrow_owner', 'USAGE') THEN
        RETURN;
    END IF;

    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    GRANT USAGE, CREATE ON SCHEMA public TO ownrow_owner, ownrow_lookup, ownrow_ledger;
    GRANT USAGE ON SCHEMA public TO ownrow_app, ownrow_auditor;
    FOR handed_over IN SELECT to_regclass(name) FROM unnest(tables) AS name LOOP
        CONTINUE WHEN handed_over IS NULL;
        EXECUTE format('ALTER TABLE %s OWNER TO ownrow_owner', handed_over);
    END LOOP;
    FOR routine IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname = ANY(routines)
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO ownrow_owner', routine);
    END LOOP;
    FOR routine IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname = ANY(lookups)
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO ownrow_lookup', routine);
    END LOOP;
    ALTER FUNCTION record_change() OWNER TO ownrow_ledger;
    REVOKE CREATE ON SCHEMA public FROM ownrow_lookup, ownrow_ledger;

    -- On whole tables: rights on columns are checked one by one, which costs each write 4 % more.
    GRANT SELECT, UPDATE ON ledgers TO ownrow_ledger;
    GRANT INSERT ON ledger_entries TO ownrow_ledger;
    -- Who creates a trigger needs EXECUTE: the owner, for the tables of further kinds.
    GRANT EXECUTE ON FUNCTION record_change() TO ownrow_owner;

    GRANT SELECT (id, email, email_key, created_at, updated_at, disabled_at) ON users TO ownrow_lookup;
    GRANT SELECT ON credentials, known_addresses TO ownrow_lookup;

    GRANT EXECUTE ON FUNCTION
        find_credential(text, bytea[]), password_hash_of(uuid), list_accounts(text, integer)
    TO ownrow_owner;

    -- FOR UPDATE and FOR SHARE need UPDATE on at least one column of the locked table.
    GRANT EXECUTE ON FUNCTION find_credential(text, bytea[]), password_hash_of(uuid) TO ownrow_app;
    GRANT SELECT, DELETE ON users TO ownrow_app;
    GRANT INSERT (id, email, email_key), UPDATE (disabled_at, updated_at) ON users TO ownrow_app;
    GRANT SELECT (owner_id, changed_at), INSERT (owner_id, password_hash),
        UPDATE (password_hash, changed_at) ON credentials TO ownrow_app;
    GRANT SELECT, DELETE ON sessions TO ownrow_app;
    GRANT INSERT (owner_id, id, user_agent, token_hash),
        UPDATE (last_used_at, token_number, token_hash, parent_hash, used_numbers, used_at)
    ON sessions TO ownrow_app;
    GRANT SELECT, DELETE ON ended_sessions TO ownrow_app;
    GRANT INSERT (session_id), UPDATE (ended_at) ON ended_sessions TO ownrow_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON login_attempts, known_addresses TO ownrow_app;
    -- A generated column can't be set: UPDATE (feed_tag) is the right to lock the row, and no other.
    GRANT SELECT, DELETE, INSERT (owner_id), UPDATE (feed_tag) ON ledgers TO ownrow_app;
    GRANT SELECT ON ledger_entries, items TO ownrow_app;
    GRANT SELECT, INSERT, UPDATE (
        title, title_folded, description, description_folded, completed_at,
        updated_at, deleted_at, version, last_action, request_id, session_id
    ) ON tasks TO ownrow_app;
    GRANT SELECT, INSERT, DELETE, UPDATE (created_at) ON idempotency_keys TO ownrow_app;
    GRANT SELECT ON _yoyo_migration TO ownrow_app;

    GRANT SELECT ON
        users, ended_sessions, login_attempts, known_addresses, ledgers, tasks, ledger_entries,
        idempotency_keys, items, _yoyo_migration, _yoyo_log
    TO ownrow_auditor;
    GRANT SELECT (owner_id, changed_at) ON credentials TO ownrow_auditor;
    GRANT SELECT (
        owner_id, id, created_at, last_used_at, user_agent, token_number, used_numbers, used_at
    ) ON sessions TO ownrow_auditor;
END
$$;

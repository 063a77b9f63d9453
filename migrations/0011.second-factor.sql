-- The second factor: TOTP secrets, encrypted by the service, with recovery codes.
-- depends: 0010.api_tokens

-- Before the first release no table is large.
-- squawk-ignore-file ban-drop-constraint, constraint-missing-not-valid

CREATE TABLE second_factors (
    owner_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at timestamptz,
    key_id text NOT NULL,
    secret bytea NOT NULL,
    last_step bigint NOT NULL DEFAULT 0,
    recovery_hashes bytea[] NOT NULL,
    CONSTRAINT second_factors_pkey PRIMARY KEY (owner_id),
    CONSTRAINT second_factors_owner_fkey FOREIGN KEY (owner_id) REFERENCES users (
        id
    ) ON DELETE CASCADE,
    CONSTRAINT second_factors_key_id_format CHECK (key_id ~ '^[A-Za-z0-9._-]{1,64}$'),
    CONSTRAINT second_factors_secret_length CHECK (octet_length(secret) BETWEEN 29 AND 256),
    CONSTRAINT second_factors_recovery_number CHECK (cardinality(recovery_hashes) <= 10)
);

COMMENT ON TABLE second_factors IS
'The second factor of an account, on from confirmed_at; before it waits for its first code.';
COMMENT ON COLUMN second_factors.created_at IS
'When it was set up; tells it from an earlier one of the account.';
COMMENT ON COLUMN second_factors.key_id IS 'The key of ENCRYPTION_KEYS that the secret is encrypted with.';
COMMENT ON COLUMN second_factors.secret IS
'The TOTP secret: nonce, ciphertext and tag of AES-256-GCM, bound to the owner.';
COMMENT ON COLUMN second_factors.last_step IS
'The newest step of 30 s since 1970 whose code was used; codes of it and of those before are refused.';
COMMENT ON COLUMN second_factors.recovery_hashes IS
'SHA-256 of each recovery code that is left: 80 random bits, which need no slow hash.';

-- An attempt that is undone leaves no trace: otherwise a right password without a code, which many
-- clients send first, would put off the code that comes next.
ALTER TABLE login_attempts ADD COLUMN previous_failure_at timestamptz;

COMMENT ON COLUMN login_attempts.previous_failure_at IS
'The last_failure_at before the newest attempt was counted, for undoing that.';

-- The audit trail

ALTER TABLE auth_events
DROP CONSTRAINT auth_events_event,
ADD CONSTRAINT auth_events_event CHECK (
    event IN (
        'registered', 'erased', 'disabled', 'enabled', 'password changed',
        'logged in', 'session ended', 'token made', 'token ended', 'second factor on',
        'second factor off', 'recovery code used', 'refused', 'throttled'
    )
);

CREATE OR REPLACE FUNCTION note_auth_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    noted public.auth_events;
BEGIN
    CASE TG_TABLE_NAME || ' ' || TG_OP
    WHEN 'users INSERT' THEN
        noted.event := 'registered';
        noted.owner_id := NEW.id;
    WHEN 'users DELETE' THEN
        noted.event := 'erased';
        noted.owner_id := OLD.id;
    WHEN 'users UPDATE' THEN
        noted.event := CASE WHEN NEW.disabled_at IS NULL THEN 'enabled' ELSE 'disabled' END;
        noted.owner_id := NEW.id;
    WHEN 'credentials UPDATE' THEN
        noted.event := 'password changed';
        noted.owner_id := NEW.owner_id;
    WHEN 'sessions INSERT' THEN
        noted.event := CASE NEW.kind WHEN 'login' THEN 'logged in' ELSE 'token made' END;
        noted.owner_id := NEW.owner_id;
        noted.session_id := NEW.id;
    WHEN 'sessions DELETE' THEN
        noted.event := CASE OLD.kind WHEN 'login' THEN 'session ended' ELSE 'token ended' END;
        noted.owner_id := OLD.owner_id;
        noted.session_id := OLD.id;
    WHEN 'second_factors UPDATE' THEN
        noted.event := CASE
            WHEN OLD.confirmed_at IS NULL THEN 'second factor on' ELSE 'recovery code used'
        END;
        noted.owner_id := NEW.owner_id;
    WHEN 'second_factors DELETE' THEN
        noted.event := 'second factor off';
        noted.owner_id := OLD.owner_id;
    END CASE;
    INSERT INTO public.auth_events (event, owner_id, session_id)
    VALUES (noted.event, noted.owner_id, noted.session_id);
    RETURN NULL;
END
$$;

CREATE TRIGGER second_factors_on_noted AFTER UPDATE OF confirmed_at ON second_factors
FOR EACH ROW
WHEN (((old.confirmed_at IS NULL) AND (new.confirmed_at IS NOT NULL)))
EXECUTE FUNCTION note_auth_event();

CREATE TRIGGER second_factors_recovery_noted AFTER UPDATE OF recovery_hashes ON second_factors
FOR EACH ROW
WHEN (((old.confirmed_at IS NOT NULL) AND (new.recovery_hashes <> old.recovery_hashes)))
EXECUTE FUNCTION note_auth_event();

CREATE TRIGGER second_factors_off_noted AFTER DELETE ON second_factors
FOR EACH ROW
WHEN ((old.confirmed_at IS NOT NULL))
EXECUTE FUNCTION note_auth_event();

CREATE OR REPLACE VIEW audit_rows_per_owner WITH (security_invoker = TRUE) AS
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

-- Row security and rights

CREATE POLICY owner ON second_factors USING (owner_id = current_owner());
ALTER TABLE second_factors FORCE ROW LEVEL SECURITY;

DO $$
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = 'public.sessions'::regclass) THEN
        ALTER TABLE second_factors ENABLE ROW LEVEL SECURITY;
    END IF;
    IF to_regrole('ownrow_auditor') IS NULL THEN
        RETURN;
    END IF;

    CREATE POLICY audit ON second_factors FOR SELECT TO ownrow_auditor USING (TRUE);

    GRANT SELECT, DELETE, INSERT (owner_id, key_id, secret, recovery_hashes),
        UPDATE (created_at, confirmed_at, key_id, secret, last_step, recovery_hashes)
    ON second_factors TO ownrow_app;
    GRANT SELECT (owner_id, created_at, confirmed_at, key_id, last_step) ON second_factors
    TO ownrow_auditor;
END
$$;

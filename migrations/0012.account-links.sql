-- Mailed links: verification of an address, its change, and the reset of a password.
--
-- No row and no dump holds a link that works. A link's token is made of the row's seed and a key of
-- JWT_SECRETS at the moment when its mail leaves; until then the mail has a placeholder in its place.
-- depends: 0011.second-factor

-- The constraint on events is exchanged in one transaction, before the first release.
-- squawk-ignore-file adding-field-with-default, constraint-missing-not-valid, ban-drop-constraint

CREATE FUNCTION link_lifetime(purpose text) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE purpose WHEN 'reset' THEN interval '30 minutes' ELSE interval '24 hours' END;

COMMENT ON FUNCTION link_lifetime(text) IS 'How long a mailed link lasts, from when its mail left.';

CREATE TABLE account_tokens (
    owner_id uuid NOT NULL,
    purpose text NOT NULL,
    hash bytea NOT NULL,
    seed bytea NOT NULL,
    mail_id uuid NOT NULL,
    email_key text NOT NULL,
    password_changed_at timestamptz NOT NULL,
    new_email text,
    new_email_key text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    CONSTRAINT account_tokens_pkey PRIMARY KEY (owner_id, purpose),
    CONSTRAINT account_tokens_owner_fkey FOREIGN KEY (owner_id) REFERENCES users (
        id
    ) ON DELETE CASCADE,
    CONSTRAINT account_tokens_purpose CHECK (purpose IN ('verify', 'reset', 'change_email')),
    CONSTRAINT account_tokens_lengths CHECK (octet_length(hash) = 32 AND octet_length(seed) = 32),
    CONSTRAINT account_tokens_new_email CHECK (
        (new_email IS NOT NULL) = (purpose = 'change_email')
        AND (new_email_key IS NOT NULL) = (purpose = 'change_email')
    ),
    CONSTRAINT account_tokens_new_email_length CHECK (char_length(new_email) BETWEEN 3 AND 254)
);

COMMENT ON TABLE account_tokens IS
'The newest mailed link of each purpose of an account, until it is used.';
COMMENT ON COLUMN account_tokens.purpose IS
'verify (the address), reset (the password) or change_email.';
COMMENT ON COLUMN account_tokens.hash IS 'SHA-256 of the token.';
COMMENT ON COLUMN account_tokens.seed IS
'256 random bits, of which the token can be made with a key of JWT_SECRETS, and not without it.';
COMMENT ON COLUMN account_tokens.mail_id IS 'The mail in the outbox that the link is for.';
COMMENT ON COLUMN account_tokens.email_key IS
'The account''s key when the link was asked for: the link is dead once it has another one.';
COMMENT ON COLUMN account_tokens.password_changed_at IS
'credentials.changed_at when the link was asked for: the link is dead once that is another time.';
COMMENT ON COLUMN account_tokens.new_email IS 'The address that the account gets, and its key.';
COMMENT ON COLUMN account_tokens.expires_at IS
'Until when the link is good; null until its mail leaves.';

-- No owner_id: a request must cost the same whether or not the address has an account.
CREATE TABLE reset_requests (
    email_key text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reset_requests_pkey PRIMARY KEY (email_key),
    CONSTRAINT reset_requests_email_key_length CHECK (char_length(email_key) <= 2000)
);

CREATE INDEX reset_requests_requested_at ON reset_requests (requested_at);

COMMENT ON TABLE reset_requests IS
'Addresses that a password reset was asked for, with an account or not, until a worker has looked.';

ALTER TABLE outgoing_mail ADD COLUMN has_link boolean NOT NULL DEFAULT FALSE;

COMMENT ON COLUMN outgoing_mail.has_link IS
'Whether the text has a placeholder, which becomes the token of a link when the mail leaves.';

-- The audit trail

ALTER TABLE auth_events
DROP CONSTRAINT auth_events_event,
ADD CONSTRAINT auth_events_event CHECK (
    event IN (
        'registered', 'erased', 'disabled', 'enabled', 'password changed',
        'logged in', 'session ended', 'token made', 'token ended', 'second factor on',
        'second factor off', 'recovery code used', 'refused', 'throttled',
        'email verified', 'email changed', 'email change requested',
        'reset requested', 'password reset'
    )
);

-- TG_ARGV[0] is the event, TG_ARGV[1] the column that names the owner.
CREATE FUNCTION note_link_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.auth_events (event, owner_id)
    VALUES (TG_ARGV[0], (to_jsonb(coalesce(NEW, OLD)) ->> TG_ARGV[1])::uuid);
    RETURN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION note_link_event() FROM public;

CREATE TRIGGER users_verification_noted AFTER UPDATE OF email_verified_at ON users
FOR EACH ROW
WHEN (((old.email_verified_at IS NULL) AND (new.email_verified_at IS NOT NULL)))
EXECUTE FUNCTION note_link_event('email verified', 'id');

CREATE TRIGGER users_email_noted AFTER UPDATE OF email ON users
FOR EACH ROW
WHEN ((old.email IS DISTINCT FROM new.email))
EXECUTE FUNCTION note_link_event('email changed', 'id');

CREATE TRIGGER account_tokens_reset_asked AFTER INSERT OR UPDATE OF hash ON account_tokens
FOR EACH ROW
WHEN ((new.purpose = 'reset'::text))
EXECUTE FUNCTION note_link_event('reset requested', 'owner_id');

CREATE TRIGGER account_tokens_change_asked AFTER INSERT OR UPDATE OF hash ON account_tokens
FOR EACH ROW
WHEN ((new.purpose = 'change_email'::text))
EXECUTE FUNCTION note_link_event('email change requested', 'owner_id');

-- A link is deleted by its use, or with its account, whose events are then deleted as well.
CREATE TRIGGER account_tokens_reset_done AFTER DELETE ON account_tokens
FOR EACH ROW
WHEN ((old.purpose = 'reset'::text))
EXECUTE FUNCTION note_link_event('password reset', 'owner_id');

-- Row security and rights

CREATE POLICY owner ON account_tokens USING (owner_id = current_owner());
ALTER TABLE account_tokens FORCE ROW LEVEL SECURITY;

DO $$
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = 'public.tasks'::regclass) THEN
        ALTER TABLE account_tokens ENABLE ROW LEVEL SECURITY;
    END IF;
    IF to_regrole('ownrow_auditor') IS NULL THEN
        RETURN;
    END IF;

    CREATE POLICY audit ON account_tokens FOR SELECT TO ownrow_auditor USING (TRUE);
    GRANT UPDATE (email, email_key, email_verified_at) ON users TO ownrow_app;
    GRANT INSERT (has_link) ON outgoing_mail TO ownrow_app;
    GRANT SELECT, DELETE, INSERT (
        owner_id, purpose, hash, seed, mail_id, email_key, password_changed_at, new_email,
        new_email_key
    ), UPDATE (
        hash, seed, mail_id, email_key, password_changed_at, new_email, new_email_key, created_at,
        expires_at
    ) ON account_tokens TO ownrow_app;
    GRANT SELECT, DELETE, INSERT (email_key) ON reset_requests TO ownrow_app;
    GRANT SELECT (has_link) ON outgoing_mail TO ownrow_auditor;
    GRANT SELECT (
        owner_id, purpose, mail_id, email_key, password_changed_at, new_email, new_email_key,
        created_at, expires_at
    ) ON account_tokens TO ownrow_auditor;
    GRANT SELECT ON reset_requests TO ownrow_auditor;
END
$$;

-- Accounts, their sessions and refresh tokens, and the counters of the login throttle.
-- users.id is the owner_id of every row that the user owns.

CREATE TABLE users (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    email text NOT NULL,
    email_key text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_length CHECK (char_length(email) BETWEEN 3 AND 254),
    CONSTRAINT users_email_key_unique UNIQUE (email_key)
);

COMMENT ON TABLE users IS 'One row per account.';
COMMENT ON COLUMN users.email IS 'Lower-cased and in NFC, as the API returns it.';
COMMENT ON COLUMN users.email_key IS
'Uniqueness key of the address: case-folded, in NFKC, without invisible characters.';
COMMENT ON COLUMN users.disabled_at IS 'When an operator disabled the account; null while log-in is allowed.';

-- A table of its own, so that no query on users can return a password hash.
CREATE TABLE credentials (
    owner_id uuid NOT NULL,
    password_hash text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT credentials_pkey PRIMARY KEY (owner_id),
    CONSTRAINT credentials_owner_fkey FOREIGN KEY (owner_id) REFERENCES users (
        id
    ) ON DELETE CASCADE,
    CONSTRAINT credentials_password_hash_length CHECK (char_length(password_hash) BETWEEN 1 AND 255)
);

COMMENT ON TABLE credentials IS 'One password hash (bcrypt over HMAC-SHA-256) per account.';

-- Lifetimes, each named once: statements compare with now() - session_lifetime().

CREATE FUNCTION session_lifetime() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '90 days';

COMMENT ON FUNCTION session_lifetime() IS 'How long a session lasts, however often it is used.';

CREATE FUNCTION session_idle_time() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '30 days';

COMMENT ON FUNCTION session_idle_time() IS 'How long a session lasts without being used.';

CREATE TABLE sessions (
    owner_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    user_agent text,
    CONSTRAINT sessions_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT sessions_owner_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_user_agent_length CHECK (char_length(user_agent) <= 512)
);

COMMENT ON TABLE sessions IS 'One row per open session; id is the sid claim of its tokens.';

CREATE TABLE refresh_tokens (
    owner_id uuid NOT NULL,
    session_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (owner_id, session_id, token_hash),
    CONSTRAINT refresh_tokens_session_fkey FOREIGN KEY (owner_id, session_id)
    REFERENCES sessions (owner_id, id) ON DELETE CASCADE,
    CONSTRAINT refresh_tokens_hash_length CHECK (octet_length(token_hash) = 32)
);

COMMENT ON TABLE refresh_tokens IS
'SHA-256 of every refresh token of an open session; used ones are kept to detect reuse of a stolen token.';

-- No owner_id: rows must outlive the account of their session.
CREATE TABLE ended_sessions (
    session_id uuid NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ended_sessions_pkey PRIMARY KEY (session_id)
);

CREATE INDEX ended_sessions_ended_at ON ended_sessions (ended_at);

COMMENT ON TABLE ended_sessions IS
'Ended sessions whose access tokens may still be valid; every worker reads the newest once a second.';

-- Keyed hashes only: the table reveals no e-mail and no network address.
CREATE TABLE login_attempts (
    account_hash bytea NOT NULL,
    address_hash bytea NOT NULL,
    failures integer NOT NULL,
    last_failure_at timestamptz NOT NULL,
    CONSTRAINT login_attempts_pkey PRIMARY KEY (account_hash, address_hash),
    CONSTRAINT login_attempts_failures_natural CHECK (failures >= 0)
);

CREATE INDEX login_attempts_last_failure_at ON login_attempts (last_failure_at);

COMMENT ON TABLE login_attempts IS
'Counters of wrong passwords: per account and address (reset by a right one), per account '
'(address_hash is empty) and per address (account_hash is empty).';

CREATE TABLE known_addresses (
    owner_id uuid NOT NULL,
    address_hash bytea NOT NULL,
    last_login_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT known_addresses_pkey PRIMARY KEY (owner_id, address_hash),
    CONSTRAINT known_addresses_owner_fkey FOREIGN KEY (owner_id) REFERENCES users (
        id
    ) ON DELETE CASCADE
);

COMMENT ON TABLE known_addresses IS
'Keyed hashes of the network addresses that an account has logged in from.';

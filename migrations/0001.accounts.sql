-- Accounts, their sessions with the refresh tokens, and the counters of the login throttle.
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

-- Finds the disabled accounts, which due_webhooks leaves out.
CREATE INDEX users_disabled ON users (id) WHERE disabled_at IS NOT NULL;

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

CREATE FUNCTION refresh_grace_time() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '10 seconds';

COMMENT ON FUNCTION refresh_grace_time() IS
'How long a used refresh token is answered with the newest one, for clients that lost an answer.';

-- A session is one row, however often it is refreshed: older refresh tokens need none, as they carry
-- their number with a signature of the service.
CREATE TABLE sessions (
    owner_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    user_agent text,
    token_number bigint NOT NULL DEFAULT 1,
    token_hash bytea NOT NULL,
    parent_hash bytea,
    used_numbers bigint[] NOT NULL DEFAULT '{}',
    used_at timestamptz[] NOT NULL DEFAULT '{}',
    CONSTRAINT sessions_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT sessions_owner_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_user_agent_length CHECK (char_length(user_agent) <= 512),
    CONSTRAINT sessions_token_number_positive CHECK (token_number > 0),
    CONSTRAINT sessions_hash_lengths CHECK (
        octet_length(token_hash) = 32 AND octet_length(parent_hash) = 32
    ),
    CONSTRAINT sessions_used_paired CHECK (cardinality(used_numbers) = cardinality(used_at))
);

COMMENT ON TABLE sessions IS 'One row per open session; id is the sid claim of its tokens.';
COMMENT ON COLUMN sessions.last_used_at IS 'When the current refresh token was issued.';
COMMENT ON COLUMN sessions.token_number IS
'Number of the current refresh token; those with a lower one are used.';
COMMENT ON COLUMN sessions.token_hash IS 'SHA-256 of the current refresh token.';
COMMENT ON COLUMN sessions.parent_hash IS
'SHA-256 of the refresh token before it, which is known even if its signing key was removed.';
COMMENT ON COLUMN sessions.used_numbers IS
'Numbers of the refresh tokens used in the grace time before last_used_at: the lowest of each tenth of a second.';
COMMENT ON COLUMN sessions.used_at IS
'When these tokens were used: the latest time of the tenth of a second.';

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
    noted_failure_at timestamptz,
    CONSTRAINT login_attempts_pkey PRIMARY KEY (account_hash, address_hash),
    CONSTRAINT login_attempts_failures_natural CHECK (failures >= 0)
);

CREATE INDEX login_attempts_last_failure_at ON login_attempts (last_failure_at);

COMMENT ON TABLE login_attempts IS
'Counters of wrong passwords: per account and address (reset by a right one), per account '
'(address_hash is empty) and per address (account_hash is empty).';
COMMENT ON COLUMN login_attempts.noted_failure_at IS
'The last_failure_at after which a throttled attempt was recorded in the audit trail.';

CREATE FUNCTION next_attempt_at(
    failures integer, free integer, last_failure_at timestamptz
) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN failures >= free
        THEN last_failure_at + least(power(2, least(failures - free, 10)), 900) * interval '1 second'
END;

COMMENT ON FUNCTION next_attempt_at(integer, integer, timestamptz) IS
'When a counter allows the next attempt: each failure after the free ones doubles the wait, from 1 s to 15 min.';

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

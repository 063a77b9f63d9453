-- Where users are logged in, and what slows guessing down.
-- depends: 0001.users

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

COMMENT ON TABLE sessions IS 'One row per log-in that has not ended; its id is the tokens'' sid.';

CREATE TABLE refresh_tokens (
    owner_id uuid NOT NULL,
    session_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    spent_at timestamptz,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (owner_id, session_id, token_hash),
    CONSTRAINT refresh_tokens_session_fkey FOREIGN KEY (owner_id, session_id)
    REFERENCES sessions (owner_id, id) ON DELETE CASCADE,
    CONSTRAINT refresh_tokens_hash_length CHECK (octet_length(token_hash) = 32)
);

COMMENT ON TABLE refresh_tokens IS
'SHA-256 of every refresh token of a living session; the spent ones betray a thief who uses them again.';

-- Names no owner: it must outlive the account that its session belonged to.
CREATE TABLE ended_sessions (
    session_id uuid NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ended_sessions_pkey PRIMARY KEY (session_id)
);

CREATE INDEX ended_sessions_ended_at ON ended_sessions (ended_at);

COMMENT ON TABLE ended_sessions IS
'Sessions whose access tokens may not have expired yet; every worker reads the newest once a second.';

-- Keyed hashes only: whoever reads this table learns neither an e-mail nor an address.
CREATE TABLE guesses (
    account_hash bytea NOT NULL,
    address_hash bytea NOT NULL,
    failures integer NOT NULL,
    last_failure_at timestamptz NOT NULL,
    CONSTRAINT guesses_pkey PRIMARY KEY (account_hash, address_hash),
    CONSTRAINT guesses_failures_natural CHECK (failures >= 0)
);

CREATE INDEX guesses_last_failure_at ON guesses (last_failure_at);

COMMENT ON TABLE guesses IS
'Wrong passwords since the last right one: for an account from an address, for an account from anywhere '
'(address_hash is empty), and from an address for any account (account_hash is empty).';

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

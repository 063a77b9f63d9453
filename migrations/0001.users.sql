-- User accounts. users.id is the owner_id of every row that the user owns.

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

-- Finds the account of an e-mail, with its password hash and whether it has logged in from one of
-- the addresses, by a SECURITY DEFINER function: the service's role may not read password hashes.
-- No row: no such account.
-- @reads
-- @param email_key text
-- @param address_hashes bytea[]
-- @returns id uuid, email text, created_at text, updated_at text, is_disabled boolean
-- @returns password_hash text, password_changed_at timestamptz, is_known_address boolean
SELECT
    id,
    email,
    utc(created_at) AS created_at,
    utc(updated_at) AS updated_at,
    disabled_at IS NOT NULL AS is_disabled,
    password_hash,
    password_changed_at,
    is_known_address
FROM find_credential(%(email_key)s, %(address_hashes)s::bytea[])

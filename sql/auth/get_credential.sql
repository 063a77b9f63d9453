-- Reads the owner's password hash, and whether the account has logged in from one of the addresses.
-- No row: the account is gone.
-- @reads
-- @param owner_id uuid
-- @param address_hashes bytea[]
-- @returns email_key text, password_hash text, password_changed_at timestamptz
-- @returns is_known_address boolean
SELECT
    users.email_key,
    password_hash_of(%(owner_id)s) AS password_hash,
    credentials.changed_at AS password_changed_at,
    exists(
        SELECT FROM known_addresses
        WHERE
            known_addresses.owner_id = %(owner_id)s
            AND known_addresses.address_hash = any(%(address_hashes)s::bytea[])
    ) AS is_known_address
FROM users
INNER JOIN credentials ON users.id = credentials.owner_id
WHERE users.id = %(owner_id)s AND credentials.owner_id = %(owner_id)s

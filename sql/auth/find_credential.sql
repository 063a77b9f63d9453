-- Finds the account of an e-mail, with what its log-in is checked against and whether it has
-- logged in from that address before.
-- No row: no such account.
SELECT
    users.id,
    users.email,
    utc(users.created_at) AS created_at,
    utc(users.updated_at) AS updated_at,
    users.disabled_at IS NOT NULL AS is_disabled,
    credentials.password_hash,
    exists(
        SELECT FROM known_addresses
        WHERE
            known_addresses.owner_id = users.id
            AND known_addresses.address_hash = any(%(address_hashes)s::bytea[])
    ) AS is_known_address
FROM users
INNER JOIN credentials ON users.id = credentials.owner_id
WHERE users.email_key = %(email_key)s

-- Reads what the owner's password is checked against, and whether the account has logged in from
-- that address before.
-- No row: the account is gone.
SELECT
    users.email_key,
    credentials.password_hash,
    exists(
        SELECT FROM known_addresses
        WHERE
            known_addresses.owner_id = %(owner_id)s
            AND known_addresses.address_hash = any(%(address_hashes)s::bytea[])
    ) AS is_known_address
FROM users
INNER JOIN credentials ON users.id = credentials.owner_id
WHERE users.id = %(owner_id)s AND credentials.owner_id = %(owner_id)s

-- Finds the account of an e-mail, with what its log-in is checked against and whether it has
-- logged in from that address before. The function reads what the service's role may not.
-- No row: no such account.
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

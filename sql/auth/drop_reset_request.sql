-- Deletes the request of a reset; of several workers one changes a row.
-- @writes
-- @param email_key text
DELETE FROM reset_requests
WHERE email_key = %(email_key)s

-- Notes that a reset was asked for, whether or not the address has an account.
-- @writes
-- @param email_key text
INSERT INTO reset_requests (email_key)
VALUES (%(email_key)s)
ON CONFLICT (email_key) DO NOTHING

-- Adds a log-in that was refused, or held up by the wrong guesses before it, to what the auditor
-- reads.
INSERT INTO auth_events (event, account_hash, address_hash)
VALUES (%(event)s, %(account_hash)s, %(address_hash)s)

-- Erases what the auditor reads of an owner whose account has just gone, and of tries at its e-mail.
-- The function removes what the service's role may neither read nor delete.
SELECT erase_auth_events(%(owner_id)s, %(account_hashes)s::bytea[]) AS auth_events

-- Deletes the authentication events of an account that has just been erased, and those of attempts
-- at its e-mail, by a SECURITY DEFINER function: the service's role may neither read nor delete
-- them.
-- @writes
-- @param owner_id uuid
-- @param account_hashes bytea[]
-- @returns auth_events bigint
SELECT erase_auth_events(%(owner_id)s, %(account_hashes)s::bytea[]) AS auth_events

-- Creates the empty ledger of an account that was just created; one that is there stays.
-- @writes
-- @param owner_id uuid
INSERT INTO ledgers (owner_id)
VALUES (%(owner_id)s)
ON CONFLICT (owner_id) DO NOTHING

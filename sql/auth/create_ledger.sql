-- Creates the empty ledger of an account that was just created.
-- @writes
-- @param owner_id uuid
INSERT INTO ledgers (owner_id)
VALUES (%(owner_id)s)

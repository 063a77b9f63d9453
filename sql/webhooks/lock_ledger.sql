-- Locks the owner's ledger until the transaction ends, so that what follows is the only one to change
-- which webhooks there are.
-- No row: the owner is gone.
-- @writes
-- @param owner_id uuid
-- @returns version bigint
SELECT version
FROM ledgers
WHERE owner_id = %(owner_id)s
FOR UPDATE

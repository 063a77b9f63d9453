-- Locks the owner's ledger until the transaction ends, unless another transaction has locked it.
-- No row: another one has, or the owner is gone.
-- @writes
-- @param owner_id uuid
-- @returns version bigint
SELECT version
FROM ledgers
WHERE owner_id = %(owner_id)s
FOR UPDATE SKIP LOCKED

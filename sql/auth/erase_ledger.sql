-- Deletes the owner's ledger with its entries and tasks, the part of an account that can be large.
-- @writes
-- @param owner_id uuid
DELETE FROM ledgers
WHERE owner_id = %(owner_id)s

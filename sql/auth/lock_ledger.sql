-- Locks the owner's ledger until the transaction ends, before the account: writes lock both in this
-- order. A statement of its own, as a ledger may be on another server than its account.
-- No row: the account is gone.
-- @writes
-- @param owner_id uuid
-- @returns owner_id uuid
SELECT owner_id
FROM ledgers
WHERE owner_id = %(owner_id)s
FOR UPDATE

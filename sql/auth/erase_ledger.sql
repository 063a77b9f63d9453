-- Erases the owner's ledger with all entries and tasks: the part of an account that can be large.
DELETE FROM ledgers
WHERE owner_id = %(owner_id)s

-- Deletes the entries that the owner's ledger has been pruned past.
DELETE FROM ledger_entries
USING ledgers
WHERE
    ledger_entries.owner_id = %(owner_id)s
    AND ledgers.owner_id = %(owner_id)s
    AND ledger_entries.version <= ledgers.pruned_version

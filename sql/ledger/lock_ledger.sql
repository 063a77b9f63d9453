-- Locks the owner's ledger until the transaction ends: later statements see its newest state.
-- The time is that of a change that is made now.
-- No row: the owner is gone. Not is_expected: the ledger's version is not in if_versions.
-- @writes
-- @param if_versions bigint[]
-- @param owner_id uuid
-- @returns is_expected boolean, version bigint, at timestamptz
SELECT
    %(if_versions)s::bigint[] IS NULL OR version = ANY(%(if_versions)s) AS is_expected,
    version,
    next_change_at(changed_at) AS at
FROM ledgers
WHERE owner_id = %(owner_id)s
FOR UPDATE

-- Counts a recomputation of instants, so that pages read before it are no longer valid.
-- @writes
-- @param owner_id uuid
UPDATE ledgers
SET recompute_count = recompute_count + 1
WHERE owner_id = %(owner_id)s

-- Records that a reminder fired, or was missed, for one occurrence of its task; the caller has locked
-- the ledger, and read the task since.
-- No row: that was recorded before; nothing was changed.
-- @writes
-- @param owner_id uuid
-- @param task_id uuid
-- @param occurrence text
-- @param reminder text
-- @param at timestamptz
-- @param action text
-- @param request_id text
-- @returns version bigint
WITH ledger AS (
    SELECT owner_id, version + 1 AS version, next_change_at(changed_at) AS at
    FROM ledgers
    WHERE owner_id = %(owner_id)s
    FOR UPDATE
)

INSERT INTO reminder_firings (
    owner_id, id, task_id, occurrence, reminder, at, created_at, updated_at, version, last_action,
    request_id
)
SELECT
    owner_id, uuidv7_at(at), %(task_id)s, %(occurrence)s, %(reminder)s, %(at)s, at, at, version,
    %(action)s, %(request_id)s
FROM ledger
ON CONFLICT ON CONSTRAINT reminder_firings_once DO NOTHING
RETURNING version

-- Begins an attempt to send the owner's mail. No other worker gets it within the lease, which ends
-- after the longest attempt: should this worker end before it has told the result, another attempt
-- follows.
-- No row: another worker has it, or it is finished.
-- @writes
-- @param owner_id uuid
-- @param id uuid
-- @param lease interval
-- @returns recipient text, subject text, text text, html text, list_unsubscribe text null
-- @returns message_id text, created_at timestamptz, attempts integer, has_link boolean
WITH due AS (
    SELECT outgoing_mail.id
    FROM outgoing_mail
    WHERE
        outgoing_mail.owner_id = %(owner_id)s
        AND outgoing_mail.id = %(id)s
        AND outgoing_mail.next_step_at <= now()
        AND outgoing_mail.text IS NOT NULL
    FOR UPDATE SKIP LOCKED
)

UPDATE outgoing_mail
SET
    attempts = outgoing_mail.attempts + 1,
    next_step_at = now() + %(lease)s::interval
FROM due
WHERE outgoing_mail.owner_id = %(owner_id)s AND outgoing_mail.id = due.id
RETURNING
    outgoing_mail.recipient,
    outgoing_mail.subject,
    outgoing_mail.text,
    outgoing_mail.html,
    outgoing_mail.list_unsubscribe,
    outgoing_mail.message_id,
    outgoing_mail.created_at,
    outgoing_mail.attempts,
    outgoing_mail.has_link

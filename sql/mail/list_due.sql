-- Lists up to limit mails of all owners whose next step is due, the longest waiting first: to be
-- sent or, if they are finished, to be deleted.
-- No row: nothing is due.
-- @reads
-- @param limit integer
-- @returns owner_id uuid, id uuid, is_finished boolean, lag interval
SELECT
    owner_id,
    id,
    is_finished,
    now() - next_step_at AS lag
FROM due_mail(%(limit)s::integer)

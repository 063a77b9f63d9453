-- What `flask worker` needs: the outbox of mail, and the heartbeats of the workers.
-- depends: 0008.recurrence

-- A row is written in the transaction of its cause, and delivered after it. Text and html may hold
-- links that open an account: they are removed as soon as the mail is sent or has failed.
CREATE TABLE outgoing_mail (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    recipient text NOT NULL,
    subject text NOT NULL,
    text text,
    html text,
    list_unsubscribe text,
    message_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    next_step_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    sent_at timestamptz,
    failed_at timestamptz,
    last_error text,
    CONSTRAINT outgoing_mail_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT outgoing_mail_owner_fkey FOREIGN KEY (owner_id) REFERENCES users (
        id
    ) ON DELETE CASCADE,
    CONSTRAINT outgoing_mail_recipient_length CHECK (char_length(recipient) BETWEEN 3 AND 320),
    CONSTRAINT outgoing_mail_subject_length CHECK (char_length(subject) BETWEEN 1 AND 255),
    CONSTRAINT outgoing_mail_message_id_length CHECK (char_length(message_id) BETWEEN 3 AND 320),
    CONSTRAINT outgoing_mail_last_error_length CHECK (char_length(last_error) <= 500),
    CONSTRAINT outgoing_mail_one_line CHECK (
        recipient || subject || coalesce(list_unsubscribe, '') || message_id !~ '[\r\n]'
    ),
    CONSTRAINT outgoing_mail_finished CHECK (
        (text IS NULL) = (sent_at IS NOT NULL OR failed_at IS NOT NULL)
        AND (html IS NULL) = (text IS NULL)
        AND (sent_at IS NULL OR failed_at IS NULL)
    )
);

CREATE INDEX outgoing_mail_next_step_at ON outgoing_mail (next_step_at);

COMMENT ON TABLE outgoing_mail IS 'The outbox: mail to be sent, and for 30 days that it was sent or has failed.';
COMMENT ON COLUMN outgoing_mail.text IS
'The plain text; null, as html is, from when the mail is sent or has failed.';
COMMENT ON COLUMN outgoing_mail.list_unsubscribe IS
'The address of the header List-Unsubscribe; null for mail that can''t be switched off.';
COMMENT ON COLUMN outgoing_mail.message_id IS
'The header Message-ID, the same in each attempt: it shows that a second copy is one.';
COMMENT ON COLUMN outgoing_mail.next_step_at IS
'When a worker next attempts to send it or, if it is sent or has failed, deletes the row.';
COMMENT ON COLUMN outgoing_mail.attempts IS 'How many attempts have begun.';
COMMENT ON COLUMN outgoing_mail.last_error IS
'Why the last attempt failed, in the words of the mail server.';

-- No owner_id: a worker acts for all owners.
CREATE TABLE worker_heartbeats (
    worker_id uuid NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    lag_seconds integer NOT NULL,
    CONSTRAINT worker_heartbeats_pkey PRIMARY KEY (worker_id)
);

COMMENT ON TABLE worker_heartbeats IS 'The running workers, and those that ended in the last hour.';
COMMENT ON COLUMN worker_heartbeats.seen_at IS 'When the worker last wrote the row; it does every 5 s.';
COMMENT ON COLUMN worker_heartbeats.lag_seconds IS
'How long the oldest thing that was due then had been waiting.';

-- The one place where mail is looked for across owners. It tells whose it is, and nothing that is
-- in it: each mail is then claimed by a statement that names its owner. With row security, rows of
-- all owners are visible inside this function only, which sets app.worker while it runs.
CREATE FUNCTION due_mail(number integer)
RETURNS TABLE (owner_id uuid, id uuid, is_finished boolean, next_step_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('app.worker', 'on', TRUE);
    RETURN QUERY
        SELECT
            outgoing_mail.owner_id,
            outgoing_mail.id,
            outgoing_mail.text IS NULL,
            outgoing_mail.next_step_at
        FROM public.outgoing_mail
        WHERE outgoing_mail.next_step_at <= now()
        ORDER BY outgoing_mail.next_step_at
        LIMIT due_mail.number;
    PERFORM set_config('app.worker', '', TRUE);
END
$$;

COMMENT ON FUNCTION due_mail(integer) IS
'Ids and owners of mail whose next step is due, for the worker; the longest waiting first.';

REVOKE EXECUTE ON FUNCTION due_mail(integer) FROM public;

CREATE POLICY owner ON outgoing_mail USING (owner_id = current_owner());
ALTER TABLE outgoing_mail FORCE ROW LEVEL SECURITY;

DO $$
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = 'public.tasks'::regclass) THEN
        ALTER TABLE outgoing_mail ENABLE ROW LEVEL SECURITY;
    END IF;
    IF to_regrole('ownrow_auditor') IS NULL THEN
        RETURN;
    END IF;

    CREATE POLICY worker ON outgoing_mail FOR SELECT TO ownrow_owner USING (
        current_setting('app.worker', TRUE) = 'on'
    );
    CREATE POLICY audit ON outgoing_mail FOR SELECT TO ownrow_auditor USING (TRUE);
    GRANT EXECUTE ON FUNCTION due_mail(integer) TO ownrow_app;
    GRANT SELECT, DELETE, INSERT (
        owner_id, id, recipient, subject, text, html, list_unsubscribe, message_id
    ), UPDATE (
        text, html, next_step_at, attempts, sent_at, failed_at, last_error
    ) ON outgoing_mail TO ownrow_app;
    GRANT SELECT, DELETE, INSERT (worker_id, lag_seconds), UPDATE (
        seen_at, lag_seconds
    ) ON worker_heartbeats TO ownrow_app;
    GRANT SELECT (
        owner_id, id, recipient, subject, list_unsubscribe, message_id, created_at, next_step_at,
        attempts, sent_at, failed_at, last_error
    ) ON outgoing_mail TO ownrow_auditor;
    GRANT SELECT ON worker_heartbeats TO ownrow_auditor;
END
$$;

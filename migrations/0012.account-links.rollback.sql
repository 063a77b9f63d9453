-- squawk-ignore-file constraint-missing-not-valid, ban-drop-constraint, ban-drop-column

DROP TRIGGER users_email_noted ON users;
DROP TRIGGER users_verification_noted ON users;
DROP TABLE account_tokens;
DROP TABLE reset_requests;
DROP FUNCTION note_link_event();
DROP FUNCTION link_lifetime(text);

ALTER TABLE outgoing_mail DROP COLUMN has_link;

-- The events that the schema before does not know.
DELETE FROM auth_events
WHERE event IN (
    'email verified', 'email changed', 'email change requested', 'reset requested', 'password reset'
);

ALTER TABLE auth_events
DROP CONSTRAINT auth_events_event,
ADD CONSTRAINT auth_events_event CHECK (
    event IN (
        'registered', 'erased', 'disabled', 'enabled', 'password changed',
        'logged in', 'session ended', 'token made', 'token ended', 'second factor on',
        'second factor off', 'recovery code used', 'refused', 'throttled'
    )
);

DO $$
BEGIN
    IF to_regrole('ownrow_app') IS NOT NULL THEN
        REVOKE UPDATE (email, email_key, email_verified_at) ON users FROM ownrow_app;
    END IF;
END
$$;

-- An account that is erased takes its events along, and those that name its e-mail by a keyed hash.
-- What is left is that some account was erased at that time.
-- depends: 0006.audit

-- For tries at an e-mail, whose number is up to strangers. Only log-ins wait while it is made.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX auth_events_account ON auth_events (account_hash) WHERE account_hash IS NOT NULL;

-- The service may not delete events: only this does, only after the account has gone, and once.
CREATE FUNCTION erase_auth_events(owner_id uuid, account_hashes bytea[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH erased AS (
        UPDATE public.auth_events
        SET owner_id = NULL
        WHERE
            auth_events.event = 'erased'
            AND auth_events.owner_id = erase_auth_events.owner_id
        RETURNING auth_events.id
    ),

    removed AS (
        DELETE FROM public.auth_events
        WHERE
            EXISTS (SELECT FROM erased)
            AND auth_events.event <> 'erased'
            AND (
                auth_events.owner_id = erase_auth_events.owner_id
                OR auth_events.account_hash = ANY(erase_auth_events.account_hashes)
            )
        RETURNING auth_events.id
    )

    SELECT count(*) FROM removed
$$;

COMMENT ON FUNCTION erase_auth_events(uuid, bytea[]) IS
'Removes what is noted of an account that was erased; the note of that keeps its time and no name.';

REVOKE EXECUTE ON FUNCTION erase_auth_events(uuid, bytea[]) FROM public;

DO $$
BEGIN
    IF to_regrole('ownrow_app') IS NULL THEN
        RETURN;
    END IF;

    -- Without it row security would keep even the tables' owner from removing old events.
    CREATE POLICY retention ON auth_events TO ownrow_owner USING (TRUE) WITH CHECK (TRUE);
    GRANT EXECUTE ON FUNCTION erase_auth_events(uuid, bytea[]) TO ownrow_app;
END
$$;

-- Accounts that went before.
DELETE FROM auth_events
WHERE
    event <> 'erased'
    AND owner_id IN (
        SELECT erased.owner_id
        FROM auth_events AS erased
        WHERE erased.event = 'erased'
    );

UPDATE auth_events SET owner_id = NULL
WHERE event = 'erased';

-- Erasing an account also erases its authentication events and those with the keyed hash of its
-- e-mail. Only the 'erased' event remains, with its time and without owner_id.
-- depends: 0006.audit

-- Anyone can add events for an e-mail, so their number is unbounded and needs an index. Building it
-- without CONCURRENTLY blocks only writes to auth_events.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX auth_events_account ON auth_events (account_hash) WHERE account_hash IS NOT NULL;

-- ownrow_app may not delete events except through this function, which deletes only those of an
-- account that has been erased, and works once per account.
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
'Deletes the events of an erased account; its erased event stays, without owner_id.';

REVOKE EXECUTE ON FUNCTION erase_auth_events(uuid, bytea[]) FROM public;

DO $$
BEGIN
    IF to_regrole('ownrow_app') IS NULL THEN
        RETURN;
    END IF;

    -- Otherwise, with row security on, not even the table's owner could delete old events.
    CREATE POLICY retention ON auth_events TO ownrow_owner USING (TRUE) WITH CHECK (TRUE);
    GRANT EXECUTE ON FUNCTION erase_auth_events(uuid, bytea[]) TO ownrow_app;
END
$$;

-- Accounts erased before this migration.
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

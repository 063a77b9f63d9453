-- Event streams: the process that serves them asks once a second how far its owners' ledgers are, and
-- which of its sessions go on.
-- depends: 0015.imports

-- Of the given sessions of the given owners, in pairs, and of no others. It tells versions, and
-- nothing that is in a ledger. With row security, rows of several owners are visible inside this
-- function only, which sets app.worker while it runs.
CREATE FUNCTION streamed_versions(owner_ids uuid[], session_ids uuid[])
RETURNS TABLE (owner_id uuid, session_id uuid, version bigint, pruned_version bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    open_owners uuid[];
    open_sessions uuid[];
BEGIN
    PERFORM public.set_on_nodes('app.worker', 'on');
    -- Two statements, as sessions may be on another server than ledgers.
    SELECT array_agg(sessions.owner_id), array_agg(sessions.id)
    INTO open_owners, open_sessions
    FROM
        unnest(streamed_versions.owner_ids, streamed_versions.session_ids) AS streams (
            owner_id, session_id
        )
    INNER JOIN public.sessions
        ON streams.owner_id = sessions.owner_id AND streams.session_id = sessions.id
    LEFT JOIN public.api_tokens
        ON sessions.owner_id = api_tokens.owner_id AND sessions.id = api_tokens.id
    WHERE
        CASE sessions.kind
            WHEN 'login'
                THEN
                    sessions.created_at > now() - public.session_lifetime()
                    AND sessions.last_used_at > now() - public.session_idle_time()
            ELSE coalesce(api_tokens.expires_at > now(), TRUE)
        END;
    RETURN QUERY
        SELECT ledgers.owner_id, streams.session_id, ledgers.version, ledgers.pruned_version
        FROM unnest(open_owners, open_sessions) AS streams (owner_id, session_id)
        INNER JOIN public.ledgers ON streams.owner_id = ledgers.owner_id
        WHERE ledgers.owner_id = ANY(open_owners);
    PERFORM public.set_on_nodes('app.worker', '');
END
$$;

COMMENT ON FUNCTION streamed_versions(uuid[], uuid[]) IS
'Versions of the ledgers of the given owners, for each of the given sessions of theirs that goes on.';

REVOKE EXECUTE ON FUNCTION streamed_versions(uuid[], uuid[]) FROM public;

DO $$
BEGIN
    IF to_regrole('ownrow_auditor') IS NULL THEN
        RETURN;
    END IF;

    CREATE POLICY worker ON sessions FOR SELECT TO ownrow_owner USING (
        current_setting('app.worker', TRUE) = 'on'
    );
    CREATE POLICY worker ON api_tokens FOR SELECT TO ownrow_owner USING (
        current_setting('app.worker', TRUE) = 'on'
    );
    GRANT EXECUTE ON FUNCTION streamed_versions(uuid[], uuid[]) TO ownrow_app;
END
$$;

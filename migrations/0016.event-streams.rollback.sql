DO $$
BEGIN
    IF to_regrole('ownrow_auditor') IS NOT NULL THEN
        DROP POLICY worker ON sessions;
        DROP POLICY worker ON api_tokens;
    END IF;
END
$$;
DROP FUNCTION streamed_versions(uuid[], uuid[]);

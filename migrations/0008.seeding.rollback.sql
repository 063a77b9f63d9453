SET LOCAL ROLE NONE;

DO $$
BEGIN
    IF to_regrole('ownrow_owner') IS NOT NULL
        AND has_database_privilege(current_database(), 'TEMPORARY WITH GRANT OPTION') THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM ownrow_owner', current_database());
    END IF;
END
$$;

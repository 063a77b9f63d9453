-- `flask seed` copies its rows into a temporary table first, as COPY FROM is not supported where row
-- security is in force. ownrow_owner, and so ownrow_migrator, may create one; ownrow_app may not.
-- depends: 0004.roles

SET LOCAL ROLE NONE;

DO $$
BEGIN
    IF to_regrole('ownrow_owner') IS NULL THEN
        RETURN;
    END IF;
    IF has_database_privilege(current_database(), 'TEMPORARY WITH GRANT OPTION') THEN
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO ownrow_owner', current_database());
    ELSIF NOT has_database_privilege('ownrow_owner', current_database(), 'TEMPORARY') THEN
        RAISE WARNING 'ownrow_owner may not create the temporary table that flask seed needs'
            USING HINT = format('As its owner: GRANT TEMPORARY ON DATABASE %I TO ownrow_owner', current_database());
    END IF;
END
$$;

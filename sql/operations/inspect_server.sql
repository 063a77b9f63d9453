-- Describes the server, and what the role that asks may do there.
-- No row: never.
SELECT
    current_setting('server_version_num')::integer AS version_number,
    current_setting('server_version') AS version,
    current_setting('server_encoding') AS encoding,
    current_setting('transaction_read_only')::boolean AS is_read_only,
    current_setting('statement_timeout') AS statement_timeout,
    current_setting('lock_timeout') AS lock_timeout,
    current_setting('max_connections')::integer AS max_connections,
    current_setting('log_statement') AS log_statement,
    current_setting('log_min_duration_statement') AS log_min_duration_statement,
    current_setting('log_parameter_max_length') AS log_parameter_max_length,
    current_setting('is_superuser')::boolean AS is_superuser,
    session_user::text AS role_name,
    has_schema_privilege('public', 'CREATE') AS may_create,
    coalesce(
        has_table_privilege(to_regclass('public.ledger_entries')::oid, 'UPDATE, DELETE'), FALSE
    ) AS may_rewrite_ledger,
    coalesce(has_table_privilege(to_regclass('public.ledger_entries')::oid, 'INSERT'), TRUE)
        AS may_write_ledger,
    coalesce(row_security_active(to_regclass('public.tasks')::oid), FALSE) AS has_row_security

-- Reads the server's settings and the privileges of the current role.
-- No row: never.
-- @reads
-- @returns version_number integer, version text, encoding text, is_read_only boolean
-- @returns statement_timeout text, lock_timeout text, max_connections integer, log_statement text
-- @returns log_min_duration_statement text, log_parameter_max_length text, is_superuser boolean
-- @returns role_name text, may_create boolean, may_rewrite_ledger boolean
-- @returns may_change_items boolean, has_row_security boolean
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
        has_table_privilege(
            to_regclass('public.ledger_entries')::oid, 'INSERT, UPDATE, DELETE'
        ), FALSE
    ) AS may_rewrite_ledger,
    coalesce(has_table_privilege(to_regclass('public.tasks')::oid, 'INSERT'), TRUE)
        AS may_change_items,
    coalesce(row_security_active(to_regclass('public.tasks')::oid), FALSE) AS has_row_security

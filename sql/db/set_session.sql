-- Sets what statements and their results depend on, whatever the server, the database, the role or
-- the environment of the process says. Statements, not startup options: poolers refuse those.
-- @reads
-- @returns datestyle text, intervalstyle text, timezone text, client_encoding text
-- @returns standard_conforming_strings text, bytea_output text, extra_float_digits text
-- @returns search_path text, default_transaction_isolation text, row_security text
-- @returns quote_all_identifiers text
SELECT
    set_config('datestyle', 'ISO, MDY', FALSE) AS datestyle,
    set_config('intervalstyle', 'postgres', FALSE) AS intervalstyle,
    set_config('timezone', 'UTC', FALSE) AS timezone,
    set_config('client_encoding', 'UTF8', FALSE) AS client_encoding,
    set_config('standard_conforming_strings', 'on', FALSE) AS standard_conforming_strings,
    set_config('bytea_output', 'hex', FALSE) AS bytea_output,
    set_config('extra_float_digits', '1', FALSE) AS extra_float_digits,
    set_config('search_path', 'public', FALSE) AS search_path,
    set_config('default_transaction_isolation', 'read committed', FALSE)
        AS default_transaction_isolation,
    set_config('row_security', 'on', FALSE) AS row_security,
    set_config('quote_all_identifiers', 'off', FALSE) AS quote_all_identifiers

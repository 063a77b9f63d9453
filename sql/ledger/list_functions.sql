-- Lists the functions of the schema that have a body as text, such as those in PL/pgSQL.
-- No row: there is no such function.
-- @reads
-- @returns name text, body text
SELECT pg_proc.proname::text AS name, pg_proc.prosrc AS body
FROM pg_proc
WHERE pg_proc.pronamespace = 'public'::regnamespace AND pg_proc.prosrc <> ''
ORDER BY pg_proc.proname

DROP POLICY IF EXISTS retention ON auth_events;
DROP FUNCTION erase_auth_events(uuid, bytea[]);
DROP INDEX auth_events_account;

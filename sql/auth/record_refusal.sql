-- Records a refused or throttled log-in in the audit trail.
-- @writes
-- @param event text
-- @param account_hash bytea
-- @param address_hash bytea
INSERT INTO auth_events (event, account_hash, address_hash)
VALUES (%(event)s, %(account_hash)s, %(address_hash)s)

-- Sets the owner that the transaction acts for on every node, where Citus shards the database.
-- @writes
-- @param owner_id text
-- @returns owner_id text
SELECT set_on_nodes('app.owner_id', %(owner_id)s::text) AS owner_id

-- Sets the owner that the transaction acts for, which the row security policies read.
-- @reads
-- @param owner_id text
-- @returns owner_id text
SELECT set_config('app.owner_id', %(owner_id)s, TRUE) AS owner_id

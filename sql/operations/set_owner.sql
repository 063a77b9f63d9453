-- Says whose rows this transaction is about, to the policies of row security.
SELECT set_config('app.owner_id', %(owner_id)s, TRUE) AS owner_id

-- Lists whose ledgers there are beyond after_owner_id, for the command line.
-- No row: no more.
SELECT owner_id
FROM ledgers
WHERE owner_id > %(after_owner_id)s
ORDER BY owner_id
LIMIT %(limit)s

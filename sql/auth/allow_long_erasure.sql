-- Gives this transaction's statements as long as erasing a large account may take.
SELECT set_config('statement_timeout', '120s', TRUE) AS statement_timeout

DROP TABLE idempotency_keys;
DROP TABLE ledger_entries;
DROP FUNCTION keep_ledger_entries();
DROP TABLE tasks;
DROP TABLE ledgers;
DROP FUNCTION ledger_hash(bytea, bigint, uuid, text, timestamptz, text, uuid, json);
DROP FUNCTION task_document(uuid, uuid, text, text, timestamptz, timestamptz, timestamptz, bigint);
DROP FUNCTION uuidv7_at(timestamptz);
DROP FUNCTION utc(timestamptz);

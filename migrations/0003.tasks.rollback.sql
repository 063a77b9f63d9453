DROP VIEW items;
DROP TABLE tasks;
DROP FUNCTION task_document(uuid, uuid, text, text, timestamptz, timestamptz, timestamptz, bigint);

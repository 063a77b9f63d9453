DROP FUNCTION due_imports(integer);
DROP TABLE import_refs;
DROP TABLE import_rows;
DROP TABLE imports;

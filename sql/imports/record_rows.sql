-- Records what came of rows. The arrays have an element for each row.
-- @writes
-- @param owner_id uuid
-- @param import_id uuid
-- @param number integer[]
-- @param file text[]
-- @param line integer[]
-- @param kind text[]
-- @param outcome text[]
-- @param item_id uuid[]
-- @param notes json[]
INSERT INTO import_rows (
    owner_id, import_id, number, file, line, kind, outcome, item_id, notes
)
SELECT
    %(owner_id)s, %(import_id)s, each.number, each.file, each.line, each.kind, each.outcome,
    each.item_id, each.notes
FROM
    unnest(
        %(number)s::integer[], %(file)s::text[], %(line)s::integer[], %(kind)s::text[],
        %(outcome)s::text[], %(item_id)s::uuid[], %(notes)s::json[]
    ) AS each (number, file, line, kind, outcome, item_id, notes)

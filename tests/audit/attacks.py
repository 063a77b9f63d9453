"""Statements that the ownership proof must refuse, and strange ones that it must accept.

LEAKS show or change rows of another owner, or depend on them; REFUSED are refused whatever they do.
The parameters have the values of `tests.support.two_owners`.
"""

LEAKS = {
    # No predicate, or none that holds for each row
    "no predicate": "SELECT title FROM tasks",
    "another column is compared": "SELECT title FROM tasks WHERE id <> %(owner_id)s",
    "another parameter":
        "SELECT title FROM tasks WHERE owner_id = %(other)s AND %(owner_id)s <> id",
    "another parameter, whose name begins alike":
        "SELECT title FROM tasks WHERE owner_id = %(owner_ids)s AND id <> %(owner_id)s",
    "the owner's parameter as the second":
        "SELECT title FROM tasks WHERE title <> %(title)s AND owner_id = %(other)s",
    "or": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s OR id = %(id)s",
    "or after and":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND title = %(title)s OR id ="
        " %(id)s",
    "or within parentheses":
        "SELECT title FROM tasks WHERE (owner_id = %(owner_id)s OR TRUE) AND id = %(id)s",
    "or of an own row": "SELECT title FROM tasks WHERE (owner_id = %(owner_id)s) IS NOT NULL",
    "an optional owner":
        "SELECT title FROM tasks WHERE (%(no_owner)s::uuid IS NULL OR owner_id = %(owner_id)s)",
    "not": "SELECT title FROM tasks WHERE NOT owner_id = %(owner_id)s",
    "twice not": "SELECT title FROM tasks WHERE NOT (NOT owner_id = %(owner_id)s AND id <> id)",
    "unequal": "SELECT title FROM tasks WHERE owner_id <> %(owner_id)s",
    "less": "SELECT title FROM tasks WHERE owner_id < %(owner_id)s",
    "at least or less":
        "SELECT title FROM tasks WHERE owner_id >= %(first)s AND %(owner_id)s <> id",
    "distinct": "SELECT title FROM tasks WHERE owner_id IS DISTINCT FROM %(owner_id)s",
    "equality compared with false":
        "SELECT title FROM tasks WHERE (owner_id = %(owner_id)s) = FALSE",
    "equality that is not true":
        "SELECT title FROM tasks WHERE (owner_id = %(owner_id)s) IS NOT TRUE",
    "equality that is false": "SELECT title FROM tasks WHERE (owner_id = %(owner_id)s) IS FALSE",
    "a tautology": "SELECT title FROM tasks WHERE %(owner_id)s::uuid = %(owner_id)s",
    "the column with itself":
        "SELECT title FROM tasks WHERE owner_id = tasks.owner_id AND id <> %(owner_id)s",
    "coalesce": "SELECT title FROM tasks WHERE owner_id = coalesce(%(no_owner)s, owner_id)"
        " AND id <> %(owner_id)s",
    "nullif": "SELECT title FROM tasks WHERE nullif(owner_id, %(owner_id)s) IS NOT NULL",
    "case":
        "SELECT title FROM tasks WHERE CASE WHEN %(true)s::boolean THEN TRUE"
        " ELSE owner_id = %(owner_id)s END",
    "least": "SELECT title FROM tasks WHERE least(owner_id, %(owner_id)s) = owner_id",
    "one of several": "SELECT title FROM tasks WHERE owner_id IN (%(owner_id)s, %(other)s)",
    "any of an array":
        "SELECT title FROM tasks WHERE owner_id = ANY(ARRAY[%(owner_id)s, %(other)s]::uuid[])",
    "any of a parameter": "SELECT title FROM tasks WHERE owner_id = ANY(%(ids)s::uuid[])"
        " AND id <> %(owner_id)s",
    "not any": "SELECT title FROM tasks WHERE owner_id <> ALL(ARRAY[%(owner_id)s]::uuid[])",
    "as texts of a length":
        "SELECT title FROM tasks WHERE length(owner_id::text) = length(%(owner_id)s::uuid::text)",
    "as the beginning of texts":
        "SELECT title FROM tasks WHERE left(owner_id::text, 9) = left(%(owner_id)s::uuid::text, 9)",
    "a row that has the owner as another part":
        "SELECT title FROM tasks WHERE (owner_id, id) <> (%(owner_id)s, %(id)s)",
    "a row that is less": "SELECT title FROM tasks WHERE (owner_id, id) < (%(last)s, %(owner_id)s)",
    "between": "SELECT title FROM tasks WHERE owner_id BETWEEN %(first)s AND %(last)s"
        " AND id <> %(owner_id)s",
    "the parameter as a text":
        "SELECT title FROM tasks WHERE title <> '%(owner_id)s' AND id <> %(owner_id)s",
    "in a comment":
        "SELECT title FROM tasks WHERE id <> %(owner_id)s -- AND owner_id = %(owner_id)s",
    "in a comment below":
        "SELECT title FROM tasks WHERE id <> %(owner_id)s\n-- AND owner_id = %(owner_id)s",
    "in a nested comment":
        "SELECT title FROM tasks WHERE id <> %(owner_id)s /* /* */ AND owner_id = %(owner_id)s */",
    "in a dollar-quoted text":
        "SELECT title FROM tasks WHERE id <> %(owner_id)s AND title <> $$ AND owner_id ="
        " %(owner_id)s$$",
    "in a tagged text":
        "SELECT title FROM tasks WHERE id <> %(owner_id)s AND title <> $a$ $$ AND owner_id ="
        " %(owner_id)s $$ $a$",
    "in a text with a backslash":
        r"SELECT title FROM tasks WHERE id <> %(owner_id)s AND title <> E'\' AND owner_id"
        " = %(owner_id)s AND title <> '",
    "in a continued text":
        "SELECT title FROM tasks WHERE id <> %(owner_id)s AND title <> 'a'\n"
        "' AND owner_id = %(owner_id)s'",
    "in an alias":
        'SELECT title AS "x WHERE owner_id = %(owner_id)s" FROM tasks WHERE id <> %(owner_id)s',
    "in the result only": "SELECT owner_id = %(owner_id)s AS mine, title FROM tasks",
    "in a filter only": "SELECT count(*) FILTER (WHERE owner_id <> %(owner_id)s) AS n FROM tasks",
    "in having only":
        "SELECT count(*) AS n FROM tasks GROUP BY id HAVING bool_or(owner_id = %(owner_id)s)",
    "in order only":
        "SELECT title FROM tasks ORDER BY owner_id = %(owner_id)s, title LIMIT 1",
    "in distinct on only":
        "SELECT DISTINCT ON (owner_id = %(owner_id)s) title FROM tasks"
        " ORDER BY owner_id = %(owner_id)s, title",
    "in group by only":
        "SELECT max(title) AS t FROM tasks GROUP BY owner_id = %(owner_id)s",
    "in a window only":
        "SELECT count(*) OVER (PARTITION BY owner_id = %(owner_id)s) AS n FROM tasks",
    "in limit only":
        "SELECT title FROM tasks ORDER BY owner_id DESC, title"
        " LIMIT CASE WHEN %(owner_id)s::uuid IS NULL THEN 0 ELSE 4 END",
    "for a table without that column, so that the outer one is meant":
        "SELECT 1 AS one FROM tasks WHERE owner_id = %(owner_id)s"
        " AND EXISTS (SELECT FROM users WHERE owner_id = %(owner_id)s AND email = %(bob)s)",
    # Limits, windows and aggregates between the rows and the predicate
    "after a limit":
        "SELECT t.title FROM (SELECT owner_id, title FROM tasks ORDER BY owner_id LIMIT 3) AS t"
        " WHERE t.owner_id = %(owner_id)s",
    "after an offset":
        "SELECT t.title FROM (SELECT owner_id, title FROM tasks ORDER BY owner_id, id OFFSET 1)"
        " AS t WHERE t.owner_id = %(owner_id)s",
    "after a distinct on":
        "SELECT t.title FROM (SELECT DISTINCT ON (id) owner_id, title FROM tasks"
        " ORDER BY id, owner_id) AS t WHERE t.owner_id = %(owner_id)s",
    "after a window":
        "SELECT t.n FROM (SELECT owner_id, count(*) OVER () AS n FROM tasks) AS t"
        " WHERE t.owner_id = %(owner_id)s",
    "after lag":
        "SELECT t.other FROM (SELECT owner_id, lag(title) OVER (ORDER BY owner_id, id) AS other"
        " FROM tasks) AS t WHERE t.owner_id = %(owner_id)s",
    "after an aggregate of a window":
        "SELECT t.n FROM (SELECT owner_id, sum(count(*)) OVER () AS n FROM tasks GROUP BY owner_id)"
        " AS t WHERE t.owner_id = %(owner_id)s",
    "after an aggregate of all":
        "SELECT t.titles FROM (SELECT %(owner_id)s::uuid AS owner_id, array_agg(title ORDER BY"
        " title)"
        " AS titles FROM tasks) AS t WHERE t.owner_id = %(owner_id)s",
    "after a set of each row":
        "SELECT t.n FROM (SELECT owner_id, count(*) OVER (), generate_series(1, 2) AS n FROM tasks"
        " ORDER BY owner_id LIMIT 5) AS t WHERE t.owner_id = %(owner_id)s",
    "rollup that groups all owners":
        "SELECT owner_id, count(*) AS n FROM tasks GROUP BY ROLLUP (owner_id)"
        " HAVING owner_id IS NULL OR owner_id = %(owner_id)s",
    "an outer row that WHERE does not restrict, as one row is made of none":
        "SELECT k.body FROM ledgers AS l CROSS JOIN LATERAL (SELECT l.owner_id AS o, count(*) AS n"
        " FROM tasks WHERE tasks.owner_id = %(owner_id)s AND l.owner_id = %(owner_id)s) AS s"
        " INNER JOIN idempotency_keys AS k ON k.owner_id = s.o",
    "the same with having":
        "SELECT k.body FROM (SELECT d.x FROM unnest(%(ids)s::uuid[]) AS d (x)) AS l"
        " CROSS JOIN LATERAL (SELECT l.x AS o FROM tasks WHERE tasks.owner_id = %(owner_id)s"
        " AND l.x = %(owner_id)s HAVING TRUE) AS s"
        " INNER JOIN idempotency_keys AS k ON k.owner_id = s.o",
    "a sub-select in the one row that is made of none":
        "SELECT s.t FROM unnest(%(ids)s::uuid[]) AS l (x) CROSS JOIN LATERAL (SELECT count(*) AS n,"
        " (SELECT max(title) FROM tasks AS t WHERE t.owner_id = l.x) AS t FROM ledgers"
        " WHERE l.x = %(owner_id)s AND ledgers.owner_id = %(owner_id)s) AS s",
    "a sub-select in the having of one row":
        "SELECT s.n FROM unnest(%(ids)s::uuid[]) AS l (x) CROSS JOIN LATERAL (SELECT count(*) AS n"
        " FROM ledgers WHERE l.x = %(owner_id)s AND ledgers.owner_id = %(owner_id)s HAVING"
        " (SELECT max(title) FROM tasks AS t WHERE t.owner_id = l.x) IS NOT NULL) AS s",
    "a sub-select in the limit of one row":
        "SELECT s.n FROM unnest(%(ids)s::uuid[]) AS l (x) CROSS JOIN LATERAL (SELECT count(*) AS n"
        " FROM ledgers WHERE l.x = %(owner_id)s AND ledgers.owner_id = %(owner_id)s"
        " LIMIT (SELECT count(*) FROM tasks AS t WHERE t.owner_id = l.x)) AS s",
    "grouping sets that give a row of none":
        "SELECT s.t FROM unnest(%(ids)s::uuid[]) AS l (x) CROSS JOIN LATERAL ("
        "SELECT (SELECT max(title) FROM tasks AS t WHERE t.owner_id = l.x) AS t FROM ledgers"
        " WHERE l.x = %(owner_id)s AND ledgers.owner_id = %(owner_id)s GROUP BY ()) AS s",
    "an aggregate of the enclosing query's rows":
        "SELECT (SELECT max(t.title) FROM ledgers WHERE ledgers.owner_id = %(owner_id)s) AS m"
        " FROM tasks AS t",
    "a sample":
        "SELECT title FROM tasks TABLESAMPLE SYSTEM (100)",
    # Joins
    "on of a left join, for its left side":
        "SELECT tasks.title FROM tasks LEFT JOIN ledgers ON tasks.owner_id = ledgers.owner_id"
        " AND tasks.owner_id = %(owner_id)s AND ledgers.owner_id = %(owner_id)s",
    "on of a right join, for its right side":
        "SELECT tasks.title FROM ledgers RIGHT JOIN tasks ON tasks.owner_id = ledgers.owner_id"
        " AND tasks.owner_id = %(owner_id)s AND ledgers.owner_id = %(owner_id)s",
    "on of a full join":
        "SELECT tasks.title FROM tasks FULL JOIN ledgers ON tasks.owner_id = ledgers.owner_id"
        " AND ledgers.owner_id = %(owner_id)s AND tasks.owner_id = %(owner_id)s",
    "using of a full join":
        "SELECT tasks.title FROM tasks FULL JOIN (SELECT owner_id FROM ledgers"
        " WHERE owner_id = %(owner_id)s) AS l USING (owner_id)",
    "a left join's right side through a left side that only ON binds":
        "SELECT b.title FROM tasks AS a LEFT JOIN tasks AS b ON b.owner_id = a.owner_id"
        " WHERE a.id = %(id)s AND b.id <> %(owner_id)s",
    "the inner side of a left join within the nullable side of another":
        "SELECT b.title FROM users AS u LEFT JOIN (tasks AS a LEFT JOIN tasks AS b"
        " ON a.owner_id = %(owner_id)s) ON TRUE WHERE u.id = %(owner_id)s",
    "one of two relations":
        "SELECT e.version FROM tasks AS t INNER JOIN ledger_entries AS e ON t.version = e.version"
        " WHERE t.owner_id = %(owner_id)s",
    "a cross join":
        "SELECT e.version FROM tasks AS t CROSS JOIN ledger_entries AS e"
        " WHERE t.owner_id = %(owner_id)s",
    "a comma":
        "SELECT e.version FROM tasks AS t, ledger_entries AS e WHERE t.owner_id = %(owner_id)s",
    "a natural join that has no owner in common":
        "SELECT t.title FROM (SELECT id, title FROM tasks) AS t NATURAL JOIN"
        " (SELECT id FROM tasks WHERE owner_id = %(owner_id)s) AS m",
    "using another column":
        "SELECT a.title FROM tasks AS a INNER JOIN tasks AS b USING (id)"
        " WHERE b.owner_id = %(owner_id)s",
    "using with an alias for the columns":
        "SELECT a.title FROM tasks AS a INNER JOIN tasks AS b USING (id) AS j"
        " WHERE b.owner_id = %(owner_id)s AND j.id = %(id)s",
    "a nested join":
        "SELECT b.title FROM ledgers LEFT JOIN (tasks AS b INNER JOIN ledger_entries AS e ON TRUE)"
        " ON ledgers.owner_id = e.owner_id WHERE ledgers.owner_id = %(owner_id)s",
    "a self-join that is equal to itself":
        "SELECT a.title FROM tasks AS a INNER JOIN tasks AS b ON a.owner_id = b.owner_id"
        " AND a.id = b.id WHERE a.id <> %(owner_id)s",
    "the owner of a row that a left join replaced by nulls":
        "SELECT t.title FROM users AS u LEFT JOIN ledgers AS l ON l.owner_id = %(owner_id)s"
        " INNER JOIN tasks AS t ON t.owner_id = u.id",
    "coalesce of a full join's columns":
        "SELECT j.title FROM (tasks AS t FULL JOIN (SELECT owner_id, version FROM ledgers"
        " WHERE owner_id = %(owner_id)s) AS l USING (owner_id)) AS j WHERE j.title IS NOT NULL",
    "an inner join above the left join that binds":
        "SELECT t.title FROM ledgers AS l LEFT JOIN sessions AS s ON s.owner_id = l.owner_id"
        " AND l.owner_id = %(owner_id)s AND s.owner_id = %(owner_id)s"
        " INNER JOIN tasks AS t ON t.owner_id = l.owner_id",
    # Names
    "an alias that is another table's name":
        "SELECT tasks.title FROM ledgers AS users, tasks WHERE users.owner_id = %(owner_id)s",
    "columns renamed by an alias":
        "SELECT t.title FROM tasks AS t (id, owner_id, title) WHERE t.owner_id <> %(owner_id)s",
    "columns renamed so that the id has the owner's name":
        "SELECT t.c FROM tasks AS t (a, owner_id, c) WHERE t.owner_id = %(id)s"
        " AND t.a <> %(first)s AND t.owner_id <> %(owner_id)s",
    "a CTE's columns renamed":
        "WITH t (owner_id, x) AS (SELECT given.x, ledgers.owner_id FROM ledgers,"
        " unnest(%(ids)s::uuid[]) AS given (x) WHERE ledgers.owner_id = %(owner_id)s)"
        " SELECT k.body FROM idempotency_keys AS k INNER JOIN t ON k.owner_id = t.owner_id",
    "a quoted alias that differs in case":
        'WITH t AS (SELECT ledgers.owner_id AS "OWNER_ID", given.x AS owner_id FROM ledgers,'
        " unnest(%(ids)s::uuid[]) AS given (x) WHERE ledgers.owner_id = %(owner_id)s)"
        " SELECT k.body FROM idempotency_keys AS k INNER JOIN t ON k.owner_id = t.owner_id",
    "AS is not folded":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS x FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS d CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, (SELECT given.x FROM unnest(%(ids)s::uuid[]) AS given (x)) AS D"
        " WHERE tasks.owner_id = d.x) AS leak",
    "the columns of a record that the statement defines":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS c FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, (SELECT given.c::uuid FROM json_to_recordset(%(x)s::json) AS given (c text))"
        " AS d WHERE tasks.owner_id = c) AS leak",
    "the second column of VALUES":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS column2 FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, (VALUES (1, %(other)s::uuid)) AS given (a) WHERE tasks.owner_id = column2)"
        " AS leak",
    "the name of a function's column":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS unnest FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, unnest(%(ids)s::uuid[]) WHERE tasks.owner_id = unnest) AS leak",
    "the name of a cast":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS uuid FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, (SELECT %(other)s::text::uuid) AS d WHERE tasks.owner_id = uuid) AS leak",
    "the name of a case":
        'SELECT leak.title FROM (SELECT ledgers.owner_id AS "case" FROM ledgers'
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, (SELECT CASE WHEN TRUE THEN %(other)s::uuid END) AS d"
        ' WHERE tasks.owner_id = "case") AS leak',
    "the name of coalesce":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS coalesce FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        ' FROM tasks, (SELECT coalesce(%(other)s::uuid)) AS d WHERE tasks.owner_id = "coalesce")'
        " AS leak",
    "the name of a field":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS id FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, (SELECT (row).id FROM (SELECT users AS row FROM users"
        " WHERE email = %(bob)s) AS r) AS d WHERE tasks.owner_id = d.id) AS leak",
    "with ordinality":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS x FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, unnest(%(ids)s::uuid[]) WITH ORDINALITY AS d (x, n) WHERE tasks.owner_id = x)"
        " AS leak",
    "a name of more than 63 bytes":
        f"SELECT leak.title FROM (SELECT ledgers.owner_id AS {'x' * 64} FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        f" FROM tasks, unnest(%(ids)s::uuid[]) AS d ({'x' * 63}) WHERE tasks.owner_id = {'x' * 65})"
        " AS leak",
    "an alias of more than 63 bytes":
        f"SELECT leak.title FROM (SELECT ledgers.owner_id AS x FROM ledgers"
        f" WHERE ledgers.owner_id = %(owner_id)s) AS {'a' * 70} CROSS JOIN LATERAL (SELECT"
        f" tasks.title FROM tasks, unnest(%(ids)s::uuid[]) AS {'a' * 63} (x)"
        f" WHERE tasks.owner_id = {'a' * 64}.x) AS leak",
    "a name of more than 63 bytes, in letters of two bytes":
        f"SELECT leak.title FROM (SELECT ledgers.owner_id AS {'ä' * 32} FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        f" FROM tasks, unnest(%(ids)s::uuid[]) AS d ({'ä' * 31}) WHERE tasks.owner_id = {'ä' * 33})"
        " AS leak",
    "a letter that is not folded":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS ä FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, unnest(%(ids)s::uuid[]) AS d (Ä) WHERE tasks.owner_id = Ä) AS leak",
    "a letter that folds to an ASCII one elsewhere":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS k FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, unnest(%(ids)s::uuid[]) AS d (\u212a) WHERE tasks.owner_id = \u212a) AS leak",
    "a name with escapes":
        r"""SELECT leak.title FROM (SELECT ledgers.owner_id AS "\0078" FROM ledgers"""
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, unnest(%(ids)s::uuid[]) AS d (x)"
        r""" WHERE tasks.owner_id = U&"\0078") AS leak""",
    "a name with a quote":
        'SELECT leak.title FROM (SELECT ledgers.owner_id AS "a""b" FROM ledgers'
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        ' FROM tasks, unnest(%(ids)s::uuid[]) AS "d""" (x) WHERE tasks.owner_id = "d""".x) AS leak',
    "an alias that looks like a field of the tree":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS x FROM ledgers"
        ' WHERE ledgers.owner_id = %(owner_id)s) AS ":rtekind" CROSS JOIN LATERAL (SELECT'
        ' tasks.title FROM tasks, unnest(%(ids)s::uuid[]) AS ":relid" (x)'
        ' WHERE tasks.owner_id = ":relid".x) AS leak',
    "an alias that looks like a node of the tree":
        'SELECT ":x {OPEXPR :opno 2972}".title FROM tasks AS ":x {OPEXPR :opno 2972}"'
        ' WHERE ":x {OPEXPR :opno 2972}".id <> %(owner_id)s',
    "a table's name for a CTE, within itself":
        "WITH tasks AS (SELECT owner_id, id, title FROM tasks LIMIT 99) SELECT title FROM tasks"
        " WHERE owner_id = %(owner_id)s OR id = %(id)s",
    "a CTE shadowed by an inner one":
        "WITH l AS (SELECT owner_id FROM ledgers WHERE owner_id = %(owner_id)s), x AS ("
        "WITH l AS (SELECT owner_id FROM ledgers) SELECT owner_id FROM l) SELECT owner_id FROM x",
    "a table with its schema beside a CTE of the same name":
        "WITH tasks AS (SELECT owner_id FROM ledgers WHERE owner_id = %(owner_id)s)"
        " SELECT t.title FROM public.tasks AS t, tasks",
    "only": "SELECT title FROM ONLY tasks WHERE id <> %(owner_id)s",
    "a star": "SELECT tasks FROM tasks WHERE id <> %(owner_id)s",
    "the table command": "TABLE ledgers",
    # Sub-selects and CTEs
    "an unbound CTE":
        "WITH t AS (SELECT owner_id, id, title FROM tasks) SELECT t.title FROM t WHERE t.id ="
        " %(id)s",
    "a CTE that is bound in one use of two":
        "WITH t AS (SELECT owner_id, title FROM tasks) SELECT a.title, b.title AS other"
        " FROM t AS a, t AS b WHERE a.owner_id = %(owner_id)s",
    "a bound CTE's other column":
        "WITH t AS (SELECT l.owner_id, given.x FROM ledgers AS l, unnest(%(ids)s::uuid[]) AS"
        " given (x)"
        " WHERE l.owner_id = %(owner_id)s) SELECT k.body FROM idempotency_keys AS k"
        " INNER JOIN t ON k.owner_id = t.x",
    "a materialized CTE":
        "WITH t AS MATERIALIZED (SELECT count(*) AS n FROM tasks) SELECT t.n FROM t",
    "a CTE that nothing reads writes":
        "WITH gone AS (DELETE FROM sessions WHERE id <> %(owner_id)s) SELECT 1 AS one",
    "a recursive CTE":
        "WITH RECURSIVE t AS (SELECT owner_id, id FROM tasks WHERE owner_id = %(owner_id)s UNION"
        " SELECT tasks.owner_id, tasks.id FROM tasks INNER JOIN t ON tasks.id = t.id)"
        " SELECT t.owner_id FROM t",
    "a recursive CTE whose second step has another owner":
        "WITH RECURSIVE o AS (SELECT %(owner_id)s::uuid AS x UNION SELECT given.x FROM o,"
        " unnest(%(ids)s::uuid[]) AS given (x)) SELECT t.title FROM tasks AS t"
        " INNER JOIN o ON t.owner_id = o.x",
    "one branch of a union":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s UNION ALL SELECT title FROM tasks",
    "the last branch of three":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s UNION SELECT ''"
        " UNION SELECT title FROM tasks",
    "a branch of an except":
        "SELECT id FROM tasks WHERE owner_id = %(owner_id)s EXCEPT SELECT id FROM tasks"
        " WHERE title = %(bob_title)s",
    "a branch of an intersect":
        "SELECT title FROM tasks INTERSECT SELECT title FROM tasks WHERE title = %(bob_title)s"
        " AND id <> %(owner_id)s",
    "a union whose second branch gives another id":
        "WITH o AS (SELECT owner_id FROM ledgers WHERE owner_id = %(owner_id)s UNION"
        " SELECT given.x FROM unnest(%(ids)s::uuid[]) AS given (x)) SELECT t.title FROM tasks AS t"
        " INNER JOIN o ON t.owner_id = o.owner_id",
    "a union with a limit, filtered outside":
        "SELECT u.title FROM (SELECT owner_id, title FROM tasks UNION ALL SELECT owner_id, ''"
        " FROM ledgers ORDER BY owner_id LIMIT 4) AS u WHERE u.owner_id = %(owner_id)s",
    "a sub-select in the result":
        "SELECT (SELECT max(title) FROM tasks) AS title FROM ledgers WHERE owner_id = %(owner_id)s",
    "an array of a sub-select":
        "SELECT ARRAY(SELECT title FROM tasks ORDER BY title) AS titles FROM ledgers"
        " WHERE owner_id = %(owner_id)s",
    "a sub-select in where":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s"
        " AND version IN (SELECT version FROM ledger_entries WHERE request_id = 'bob')",
    "exists": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s"
        " AND EXISTS (SELECT FROM tasks AS t WHERE t.title = %(bob_title)s)",
    "not exists": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s"
        " AND NOT EXISTS (SELECT FROM tasks AS t WHERE t.title = %(bob_title)s)",
    "all": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s"
        " AND title >= ALL (SELECT t.title FROM tasks AS t)",
    "a row of a sub-select":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND (title, version) <>"
        " (SELECT max(t.title), -1 FROM tasks AS t WHERE t.id = tasks.id HAVING count(*) = 1)",
    "the owner compared with a sub-select":
        "SELECT title FROM tasks WHERE owner_id = (SELECT min(given.x::text)::uuid"
        " FROM unnest(%(ids)s::uuid[]) AS given (x)) AND id <> %(owner_id)s",
    "the owner in a sub-select of others":
        "SELECT title FROM tasks WHERE owner_id IN (SELECT owner_id FROM ledgers)"
        " AND id <> %(owner_id)s",
    "a sub-select in order":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s"
        " ORDER BY (SELECT count(*) FROM tasks AS t WHERE t.title > tasks.title) <> 2, title"
        " LIMIT 1",
    "a sub-select in limit":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s ORDER BY title"
        " LIMIT (SELECT count(*) - 2 FROM tasks)",
    "a sub-select in offset":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s ORDER BY title"
        " OFFSET (SELECT count(*) - 4 FROM tasks AS t)",
    "a sub-select in a filter":
        "SELECT count(*) FILTER (WHERE title < (SELECT max(t.title) FROM tasks AS t)) AS n FROM"
        " tasks"
        " WHERE owner_id = %(owner_id)s",
    "a sub-select in an aggregate":
        "SELECT sum((SELECT count(*) FROM tasks AS t WHERE t.id = tasks.id)) AS n FROM tasks"
        " WHERE owner_id = %(owner_id)s",
    "a sub-select in a window":
        "SELECT sum(version) OVER (ORDER BY version ROWS (SELECT count(*) - 4 FROM tasks)"
        " PRECEDING)"
        " AS n FROM tasks WHERE owner_id = %(owner_id)s",
    "a sub-select in group by":
        "SELECT count(*) AS n FROM tasks WHERE owner_id = %(owner_id)s"
        " GROUP BY (SELECT count(*) FROM tasks AS t WHERE t.title = tasks.title || %(nothing)s"
        " OR t.title = %(bob_title)s AND tasks.version = 1)",
    "a sub-select in the argument of a function in from":
        "SELECT n FROM generate_series(1, (SELECT count(*) FROM tasks)) AS n"
        " WHERE %(owner_id)s::uuid IS NOT NULL",
    "a sub-select in values":
        "SELECT given.t FROM (VALUES ((SELECT max(title) FROM tasks))) AS given (t)"
        " WHERE %(owner_id)s::uuid IS NOT NULL",
    "a sub-select in on":
        "SELECT count(tasks.id) AS n FROM ledgers LEFT JOIN tasks ON tasks.owner_id = %(owner_id)s"
        " AND tasks.title = (SELECT max(t.title) FROM tasks AS t) WHERE ledgers.owner_id ="
        " %(owner_id)s",
    "a sub-select in case":
        "SELECT CASE WHEN TRUE THEN (SELECT max(title) FROM tasks) END AS title FROM ledgers"
        " WHERE owner_id = %(owner_id)s",
    "a derived table that only the outside filters by another column":
        "SELECT s.title FROM (SELECT id, title FROM tasks) AS s WHERE s.id <> %(owner_id)s",
    "a derived table whose owner is another column's name":
        "SELECT s.title FROM (SELECT %(owner_id)s::uuid AS owner_id, title FROM tasks) AS s"
        " WHERE s.owner_id = %(owner_id)s",
    "a lateral without the owner":
        "SELECT p.n FROM ledgers CROSS JOIN LATERAL (SELECT count(*) AS n FROM tasks"
        " WHERE tasks.id = %(id)s) AS p WHERE ledgers.owner_id = %(owner_id)s",
    "two laterals that are only equal to each other":
        "SELECT l.version FROM ledgers AS l CROSS JOIN LATERAL (SELECT t.owner_id FROM tasks AS t"
        " WHERE t.owner_id = l.owner_id) AS p WHERE l.owner_id = p.owner_id"
        " AND l.owner_id <> %(first)s AND %(owner_id)s <> %(id)s",
    "a lateral left join whose on binds the outside":
        "SELECT l.version, p.title FROM ledgers AS l LEFT JOIN LATERAL (SELECT t.title FROM"
        " tasks AS t"
        " WHERE t.owner_id = l.owner_id) AS p ON l.owner_id = %(owner_id)s",
    "a lateral of a bound relation's other column":
        "SELECT p.title FROM sessions AS s CROSS JOIN LATERAL (SELECT t.title FROM tasks AS t"
        " WHERE t.owner_id <> s.owner_id) AS p WHERE s.owner_id = %(owner_id)s",
    "lateral values":
        "SELECT t.title FROM ledgers AS l CROSS JOIN LATERAL (VALUES (l.owner_id),"
        " (%(other)s::uuid))"
        " AS v (x) INNER JOIN tasks AS t ON t.owner_id = v.x WHERE l.owner_id = %(owner_id)s",
    "a merged column of two relations":
        "SELECT t.title FROM unnest(%(ids)s::uuid[]) AS a (x) LEFT JOIN (SELECT owner_id AS x"
        " FROM ledgers WHERE owner_id = %(owner_id)s) AS b USING (x) INNER JOIN tasks AS t"
        " ON t.owner_id = x",
    # Views and functions
    "a view": "SELECT owner_id, action FROM audit_changes",
    "a view, by another owner":
        "SELECT email FROM audit_changes WHERE owner_id <> %(owner_id)s",
    "the view of all items": "SELECT document FROM items WHERE id = %(id)s",
    "the view of all items, bound beside":
        "SELECT items.version FROM ledgers CROSS JOIN items WHERE ledgers.owner_id = %(owner_id)s",
    "a view that aggregates":
        "SELECT number FROM audit_rows_per_owner WHERE owner_id <> %(owner_id)s",
    "a view whose e-mail is read": "SELECT email FROM audit_open_sessions WHERE id <> %(owner_id)s",
    "a function that reads the table":
        "SELECT email FROM find_credential(%(bob)s, ARRAY[]::bytea[])",
    "a function of the owner, for another": "SELECT password_hash_of(%(other)s) AS hash",
    "a function that is given as a value":
        "SELECT h FROM (VALUES (password_hash_of(%(other)s))) AS v (h)"
        " WHERE %(owner_id)s::uuid IS NOT NULL",
    "a function that looks words up":
        "SELECT word FROM ts_stat('SELECT to_tsvector(''simple'', title) FROM tasks')",
    "a function that rewrites by a query":
        "SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery,"
        " (SELECT to_tsquery(''simple'', min(owner_id::text)) FROM tasks)')::text AS q",
    "a function in order": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s"
        " ORDER BY CASE WHEN password_hash_of(%(other)s) IS NULL THEN title END, title DESC"
        " LIMIT 1",
    # Writes
    "an update of all": "UPDATE sessions SET last_used_at = now()",
    "an update by id": "UPDATE sessions SET last_used_at = %(then)s WHERE id = %(session)s",
    "an update whose from alone is bound":
        "UPDATE sessions SET last_used_at = %(then)s FROM ledgers AS l"
        " WHERE l.owner_id = %(owner_id)s AND sessions.id = %(session)s",
    "an update with a foreign sub-select":
        "UPDATE ledgers SET version = (SELECT count(*) + 2 FROM tasks) WHERE owner_id ="
        " %(owner_id)s",
    "an update with a foreign sub-select of several columns":
        "UPDATE login_attempts SET (failures, last_failure_at) ="
        " (SELECT count(*)::integer, %(then)s::timestamptz FROM tasks) RETURNING failures",
    "an update that returns what it joined":
        "UPDATE sessions SET last_used_at = %(then)s FROM tasks WHERE sessions.owner_id ="
        " %(owner_id)s"
        " AND tasks.title = %(bob_title)s RETURNING tasks.title",
    "an update that returns a sub-select":
        "UPDATE sessions SET last_used_at = %(then)s WHERE owner_id = %(owner_id)s"
        " RETURNING (SELECT max(title) FROM tasks) AS title",
    "an update that gives a row away":
        "UPDATE known_addresses SET owner_id = %(other)s, address_hash = %(new_hash)s"
        " WHERE owner_id = %(owner_id)s AND address_hash = %(hash)s",
    "an update that gives a row away by a sub-select":
        "UPDATE known_addresses SET (address_hash, owner_id) ="
        " (SELECT %(new_hash)s::bytea, %(other)s::uuid)"
        " WHERE owner_id = %(owner_id)s AND address_hash = %(hash)s",
    "an update whose new value is not what where compared":
        "UPDATE ended_sessions SET session_id = %(other)s WHERE session_id = %(owner_id)s RETURNING"
        " (SELECT max(title) FROM tasks WHERE owner_id = ended_sessions.session_id) AS leak",
    "a delete of all": "DELETE FROM sessions",
    "a delete by id": "DELETE FROM tasks WHERE id = %(id)s",
    "a delete through using":
        "DELETE FROM idempotency_keys USING tasks WHERE tasks.owner_id = %(owner_id)s",
    "a delete whose exists is bound":
        "DELETE FROM sessions WHERE EXISTS (SELECT FROM tasks WHERE tasks.owner_id = %(owner_id)s)",
    "a delete of what a CTE names by id":
        "WITH old AS (SELECT id FROM sessions WHERE owner_id = %(owner_id)s)"
        " DELETE FROM sessions USING old WHERE sessions.id = old.id",
    "a write to a table that has a CTE's name":
        "WITH sessions AS (SELECT owner_id FROM ledgers WHERE owner_id = %(owner_id)s)"
        " DELETE FROM sessions WHERE id = %(session)s",
    "a delete in a CTE":
        "WITH d AS (DELETE FROM sessions RETURNING id) SELECT count(*) AS n FROM d",
    "an insert for another owner":
        "INSERT INTO known_addresses (owner_id, address_hash) VALUES (%(other)s, %(hash)s)"
        " ON CONFLICT (owner_id, address_hash) DO UPDATE SET last_login_at = %(then)s",
    "a plain insert for another owner":
        "INSERT INTO known_addresses (owner_id, address_hash) VALUES (%(other)s, %(new_hash)s)",
    "an insert whose second row is another owner's":
        "INSERT INTO known_addresses (owner_id, address_hash)"
        " VALUES (%(owner_id)s, %(new_hash)s), (%(other)s, %(new_hash)s)",
    "an insert with the columns in another order":
        "INSERT INTO sessions (id, owner_id, token_hash)"
        " VALUES (%(owner_id)s, %(other)s, sha256(''))",
    "an insert of selected owners":
        "INSERT INTO known_addresses (owner_id, address_hash) SELECT owner_id, %(new_hash)s"
        " FROM ledgers",
    "an insert that copies others' rows to the owner":
        "INSERT INTO ended_sessions (session_id) SELECT owner_id FROM tasks"
        " ON CONFLICT DO NOTHING RETURNING session_id",
    "an insert that counts others' rows":
        "INSERT INTO known_addresses (owner_id, address_hash)"
        " SELECT %(owner_id)s, convert_to(title, 'UTF8') FROM tasks RETURNING address_hash",
    "a bound select in the wrong order":
        "INSERT INTO sessions (id, owner_id, token_hash)"
        " SELECT l.owner_id, given.x, sha256('') FROM ledgers AS l,"
        " unnest(%(ids)s::uuid[]) AS given (x) WHERE l.owner_id = %(owner_id)s",
    "an insert that returns a sub-select":
        "INSERT INTO ended_sessions (session_id) VALUES (%(new_session)s)"
        " RETURNING (SELECT max(title) FROM tasks WHERE id <> %(owner_id)s) AS title",
    "where of do update is no fact for returning":
        "INSERT INTO ended_sessions (session_id) VALUES (%(other)s) ON CONFLICT (session_id)"
        " DO UPDATE SET ended_at = ended_sessions.ended_at"
        " WHERE ended_sessions.session_id = %(owner_id)s RETURNING (SELECT max(tasks.title)"
        " FROM tasks WHERE tasks.owner_id = ended_sessions.session_id) AS leak",
    "a sub-select in do update":
        "INSERT INTO known_addresses (owner_id, address_hash) VALUES (%(owner_id)s, %(hash)s)"
        " ON CONFLICT (owner_id, address_hash) DO UPDATE"
        " SET address_hash = (SELECT convert_to(max(title), 'UTF8') FROM tasks)",
    "a sub-select in the where of do update":
        "INSERT INTO known_addresses (owner_id, address_hash) VALUES (%(owner_id)s, %(hash)s)"
        " ON CONFLICT (owner_id, address_hash) DO UPDATE SET last_login_at = %(then)s"
        " WHERE (SELECT count(*) FROM tasks) > 2 RETURNING last_login_at",
    "excluded of another owner":
        "INSERT INTO ended_sessions (session_id) VALUES (%(owner_id)s), (%(other)s)"
        " ON CONFLICT (session_id) DO UPDATE SET ended_at = %(then)s"
        " RETURNING (SELECT max(title) FROM tasks WHERE owner_id = ended_sessions.session_id) AS"
        " title",
    "do update that gives the row away":
        "INSERT INTO known_addresses (owner_id, address_hash) VALUES (%(owner_id)s, %(hash)s)"
        " ON CONFLICT (owner_id, address_hash) DO UPDATE SET owner_id = %(other)s,"
        " address_hash = %(new_hash)s",
    "a merge":
        "MERGE INTO sessions USING ledgers AS l ON sessions.owner_id = l.owner_id"
        " AND sessions.id <> %(owner_id)s WHEN MATCHED THEN DELETE",
    "a lock of all": "SELECT 1 AS one FROM sessions FOR UPDATE",
    "a lock in a sub-select that the outside filters":
        "SELECT s.id FROM (SELECT owner_id, id FROM sessions OFFSET 0) AS s"
        " WHERE s.owner_id = %(owner_id)s FOR UPDATE",
    "a lock in a lateral that on drops":
        "SELECT l.version FROM ledgers AS l INNER JOIN unnest(%(ids)s::uuid[]) AS given (x) ON TRUE"
        " CROSS JOIN LATERAL (SELECT s.id FROM sessions AS s WHERE s.owner_id = given.x FOR UPDATE)"
        " AS p WHERE l.owner_id = %(owner_id)s",
    "a lock in a sub-select in the result":
        "SELECT (SELECT s.id FROM sessions AS s WHERE s.owner_id = given.x LIMIT 1 FOR UPDATE)"
        " AS id"
        " FROM unnest(%(ids)s::uuid[]) AS given (x) WHERE %(owner_id)s::uuid IS NOT NULL",
    "a lock of another table than the bound one":
        "SELECT t.title FROM tasks AS t CROSS JOIN sessions AS s WHERE t.owner_id = %(owner_id)s"
        " FOR UPDATE OF s",
    "a share lock": "SELECT id FROM sessions WHERE id = %(session)s FOR SHARE",
}  # fmt: skip

# Leaks by what only some versions and builds of PostgreSQL have.
LEAKS_OF_SOME = {
    "a function that runs a text":
        "SELECT query_to_xml('SELECT title FROM tasks', TRUE, TRUE, '')::text AS x",
    "a function that runs a text, by its schema":
        "SELECT pg_catalog.query_to_xml('TABLE ledgers', TRUE, TRUE, '')::text AS x",
    "a function that exports a table": "SELECT table_to_xml('sessions', TRUE, TRUE, '')::text AS x",
    "a function that exports a schema":
        "SELECT length(table_to_xml('tasks'::regclass, FALSE, TRUE, '')::text) AS n",
    "the new row of an update, by its name":
        "UPDATE ended_sessions SET session_id = %(other)s WHERE session_id = %(owner_id)s RETURNING"
        " (SELECT max(title) FROM tasks WHERE owner_id = new.session_id) AS leak",
    "the new row of an insert":
        "INSERT INTO ended_sessions (session_id) VALUES (%(other)s) ON CONFLICT (session_id)"
        " DO UPDATE SET ended_at = %(then)s WHERE ended_sessions.session_id = %(owner_id)s"
        " RETURNING (SELECT max(title) FROM tasks WHERE owner_id = new.session_id) AS leak",
    "the columns of a JSON table":
        "SELECT leak.title FROM (SELECT ledgers.owner_id AS c FROM ledgers"
        " WHERE ledgers.owner_id = %(owner_id)s) AS o CROSS JOIN LATERAL (SELECT tasks.title"
        " FROM tasks, JSON_TABLE(%(x)s::jsonb, '$[*]' COLUMNS (c uuid)) WHERE tasks.owner_id = c)"
        " AS leak",
}  # fmt: skip

# Not one query that reads or changes rows of the schema's tables: refused whatever it does.
REFUSED = {
    "two statements": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s; DELETE FROM tasks",
    "nothing": "",
    "only a comment": "/* SELECT title FROM tasks WHERE owner_id = %(owner_id)s */",
    "no SQL": "this is no SQL",
    "select into": "SELECT title INTO copied FROM tasks WHERE owner_id = %(owner_id)s",
    "truncate": "TRUNCATE tasks",
    "explain": "EXPLAIN ANALYZE DELETE FROM tasks",
    "a cursor": "DECLARE c CURSOR FOR SELECT title FROM tasks",
    "where current of": "DELETE FROM tasks WHERE CURRENT OF c",
    "a block": "DO $$ BEGIN DELETE FROM tasks; END $$",
    "a copy": "COPY tasks (owner_id, id) FROM STDIN",
    "a copy of a query": "COPY (SELECT title FROM tasks) TO STDOUT",
    "a copy to a program": "COPY tasks TO PROGRAM 'cat'",
    "a table": "CREATE TABLE copied AS SELECT title FROM tasks",
    "a temporary table": "CREATE TEMPORARY TABLE copied (id uuid, title text)",
    "a view": "CREATE VIEW copied AS SELECT title FROM tasks",
    "a prepared statement": "PREPARE p AS DELETE FROM tasks",
    "a setting": "SET app.owner_id = ''",
    "a call": "CALL nothing()",
    "a lock": "LOCK TABLE tasks",
    "a notification": "NOTIFY tasks, 'now'",
    "a merge": "MERGE INTO sessions USING ledgers AS l ON sessions.owner_id = %(owner_id)s"
        " AND l.owner_id = %(owner_id)s WHEN MATCHED THEN DELETE",
    "a sample of the owner's rows":
        "SELECT title FROM tasks TABLESAMPLE BERNOULLI (50) WHERE owner_id = %(owner_id)s",
    "a recursive CTE":
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 3)"
        " SELECT t.n FROM t",
    "a table that does not exist": "SELECT title FROM everything WHERE owner_id = %(owner_id)s",
    "another schema": "SELECT title FROM archive.tasks WHERE owner_id = %(owner_id)s",
    "a temporary table's rows": "SELECT title FROM scratched WHERE owner_id = %(owner_id)s",
    "a foreign table": "SELECT title FROM far_tasks WHERE owner_id = %(owner_id)s",
    "a materialized view": "SELECT title FROM kept_tasks WHERE owner_id = %(owner_id)s",
    "a table of another schema behind a view": "SELECT title FROM archived",
    "a view that PostgreSQL can't update": "UPDATE archived SET title = ''",
    "pg_class": "SELECT relname FROM pg_class",
    "pg_stat_activity": "SELECT query FROM pg_stat_activity",
    "pg_stats": "SELECT most_common_vals::text FROM pg_stats WHERE tablename = 'tasks'",
    "the information schema": "SELECT table_name FROM information_schema.tables",
    "a sequence": "SELECT last_value FROM auth_events_id_seq",
    "nextval": "SELECT nextval('auth_events_id_seq') AS n",
    "a file": "SELECT pg_read_file('postgresql.conf') AS file",
    "a large object": "SELECT lo_get(1) AS object",
    "the owner of row security": "SELECT set_config('app.owner_id', %(other)s, TRUE) AS o",
    "the owner of row security, by a name that is computed":
        "SELECT set_config('app.' || 'owner_id', %(other)s, TRUE) AS o",
    "the owner of row security, by a parameter":
        "SELECT set_config(%(title)s, %(other)s, TRUE) AS o",
    "the owner of row security, by named arguments":
        "SELECT set_config(new_value => %(other)s, setting_name => 'app.owner_id', is_local =>"
        " TRUE)"
        " AS o",
    "the owner of row security, in a sub-select":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND version > 0"
        " AND EXISTS (SELECT set_config('app.owner_id', %(other)s, TRUE))",
    "the role": "SELECT set_config('role', 'ownrow_owner', TRUE) AS r",
    "the search path": "SELECT set_config('search_path', 'archive', FALSE) AS p",
    "row security": "SELECT set_config('row_security', 'off', TRUE) AS r",
    "a setting of what a row has":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s"
        " AND set_config('lock_timeout', version::text, TRUE) <> ''",
    "an advisory lock of what a row has":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND"
        " pg_try_advisory_xact_lock(version)",
    "a function of another schema": "SELECT archive.one() AS one",
    "a function that reads a table by a text": "SELECT read_by_text() AS n",
    "a function that calls one that reads a table": "SELECT calls_other() AS h",
    "a function that calls one with a quoted name": "SELECT calls_quoted() AS h",
    "a function with a comment before the parentheses": "SELECT calls_hidden() AS h",
    "an operator of the schema":
        "SELECT title FROM tasks WHERE owner_id OPERATOR(public.===) %(owner_id)s"
        " AND owner_id = %(owner_id)s",
    "an aggregate of the schema": "SELECT reading_sum(version) AS n FROM tasks"
        " WHERE owner_id = %(owner_id)s",
    "a domain whose check reads": "SELECT %(title)s::checked AS c",
    "a lock in a lateral that is bound by the outside":
        "SELECT p.id FROM ledgers AS l CROSS JOIN LATERAL (SELECT s.id FROM sessions AS s"
        " WHERE s.owner_id = l.owner_id FOR UPDATE) AS p WHERE l.owner_id = %(owner_id)s",
    "a lock in a sub-select that only the outside binds":
        "SELECT s.id FROM (SELECT owner_id, id FROM sessions) AS s"
        " WHERE s.owner_id = %(owner_id)s FOR UPDATE",
    "an aggregate of the enclosing query's rows":
        "SELECT (SELECT max(t.title) FROM ledgers WHERE ledgers.owner_id = %(owner_id)s) AS m"
        " FROM tasks AS t WHERE t.owner_id = %(owner_id)s",
    "a name too long to be read back":
        f'SELECT "{"(" * 60}".title FROM tasks AS "{"(" * 60}" WHERE "{"(" * 60}".owner_id'
        " = %(owner_id)s",
}  # fmt: skip

# What REFUSED names beyond the schema, made by a superuser.
BEYOND = """
CREATE SCHEMA archive;
CREATE TABLE archive.tasks (owner_id uuid, title text);
CREATE TEMPORARY TABLE scratched (owner_id uuid, title text);
CREATE MATERIALIZED VIEW kept_tasks AS SELECT owner_id, title FROM tasks;
CREATE VIEW archived AS SELECT title FROM archive.tasks;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE far_tasks (owner_id uuid, title text) SERVER far;
CREATE PROCEDURE nothing() LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE FUNCTION archive.one() RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION read_by_text() RETURNS integer IMMUTABLE LANGUAGE plpgsql
AS $$ DECLARE n integer; BEGIN
EXECUTE 'SELECT count(*) F' || 'ROM ta' || 'sks' INTO n; RETURN n; END $$;
CREATE FUNCTION calls_other() RETURNS text IMMUTABLE LANGUAGE plpgsql
AS $$ BEGIN RETURN password_hash_of(gen_random_uuid()); END $$;
CREATE FUNCTION calls_quoted() RETURNS text IMMUTABLE LANGUAGE plpgsql
AS $$ BEGIN RETURN U&"password\005Fhash\005Fof" (gen_random_uuid()); END $$;
CREATE FUNCTION calls_hidden() RETURNS text IMMUTABLE LANGUAGE sql
AS $$ SELECT pg_read_file/* */('PG_VERSION') $$;
CREATE FUNCTION reading_plus(state bigint, value bigint) RETURNS bigint IMMUTABLE LANGUAGE sql
AS $$ SELECT count(*) FROM tasks $$;
CREATE AGGREGATE reading_sum (bigint) (sfunc = reading_plus, stype = bigint, initcond = '0');
CREATE FUNCTION same(one uuid, other uuid) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT TRUE';
CREATE OPERATOR === (function = same, leftarg = uuid, rightarg = uuid);
CREATE DOMAIN checked AS text CHECK (reading_plus(1, 1) > 0)
"""

# Functions of a whole row, as a migration could make them: some read nothing but their arguments.
ROW_FUNCTIONS = """
CREATE FUNCTION is_listed(task tasks, trashed boolean, words text[]) RETURNS boolean
LANGUAGE sql STABLE RETURN ((task).deleted_at IS NOT NULL) = trashed
AND (task).description IS DISTINCT FROM extract(YEAR FROM now())::text
AND NOT EXISTS (SELECT FROM unnest(words) AS w (word) WHERE (task).title = w.word);
CREATE FUNCTION is_open(task tasks) RETURNS boolean
LANGUAGE sql IMMUTABLE RETURN (task).completed_at IS NULL;
CREATE FUNCTION is_open_and_listed(task tasks) RETURNS boolean
LANGUAGE sql STABLE RETURN is_open(task) AND is_listed(task, FALSE, '{}');
CREATE FUNCTION is_first(task tasks) RETURNS boolean
LANGUAGE sql STABLE RETURN NOT EXISTS (SELECT FROM tasks AS t WHERE t.title > (task).title);
CREATE FUNCTION is_open_and_first(task tasks) RETURNS boolean
LANGUAGE sql STABLE RETURN is_open(task) AND is_first(task);
CREATE FUNCTION is_last(task tasks) RETURNS boolean LANGUAGE sql STABLE BEGIN ATOMIC
SELECT NOT EXISTS (SELECT FROM items WHERE items.version = (task).version
AND items.owner_id <> (task).owner_id); END;
CREATE FUNCTION is_known(task tasks) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT count(*) < 3 FROM tasks $$;
CREATE FUNCTION is_another(task tasks, title text) RETURNS boolean
LANGUAGE sql STABLE RETURN NOT EXISTS (SELECT FROM tasks AS t WHERE t.title = is_another.title);
CREATE OPERATOR <<< (function = is_another, leftarg = tasks, rightarg = text);
CREATE FUNCTION is_less(task tasks) RETURNS boolean
LANGUAGE sql STABLE RETURN task <<< 'bob 1';
CREATE FUNCTION is_less_by_text(task tasks) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN task <<< 'bob 1'; END $$;
CREATE FUNCTION titles() RETURNS bigint LANGUAGE sql STABLE RETURN (SELECT count(*) FROM tasks);
CREATE FUNCTION is_few(task tasks, most bigint DEFAULT titles()) RETURNS boolean
LANGUAGE sql STABLE RETURN most < 3;
CREATE FUNCTION is_short(task tasks, most integer DEFAULT 9, words text[] DEFAULT '{}')
RETURNS boolean LANGUAGE sql STABLE RETURN length((task).title) <= most;
CREATE FUNCTION is_set(task tasks) RETURNS boolean
LANGUAGE sql STABLE RETURN set_config('lock_timeout', (task).version::text, TRUE) <> '';
CREATE FUNCTION is_locked(task tasks) RETURNS boolean
LANGUAGE sql STABLE RETURN pg_try_advisory_xact_lock((task).version)
"""

ACCEPTED_OF_ROWS = {
    "a function of a row":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND is_listed(tasks, FALSE,"
        " ARRAY[%(bob)s]) ORDER BY title",
    "a function of a row by its alias, and of a parameter":
        "SELECT t.title FROM tasks AS t WHERE t.owner_id = %(owner_id)s"
        " AND is_listed(t, NOT %(true)s, '{}') ORDER BY t.title",
    "a function of a row, by named arguments":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s"
        " AND is_listed(words => '{}', task => tasks, trashed => FALSE) ORDER BY title",
    "a function of a row that calls others":
        "SELECT count(*) AS n FROM tasks WHERE owner_id = %(owner_id)s"
        " AND is_open_and_listed(tasks)",
    "a function of a row in the result, in order and in a filter":
        "SELECT owner_id, is_open(tasks) AS o, count(*) FILTER (WHERE is_open(tasks)) OVER () AS n"
        " FROM tasks WHERE owner_id = %(owner_id)s ORDER BY is_open(tasks), id",
    "a function of a row in on, for the nullable side":
        "SELECT l.version, t.title FROM ledgers AS l LEFT JOIN tasks AS t"
        " ON t.owner_id = l.owner_id AND is_open(t) WHERE l.owner_id = %(owner_id)s"
        " ORDER BY t.title",
    "a function of a row in a lateral bound from outside":
        "SELECT p.n FROM ledgers CROSS JOIN LATERAL (SELECT count(*) AS n FROM tasks"
        " WHERE tasks.owner_id = ledgers.owner_id AND is_open(tasks)) AS p"
        " WHERE ledgers.owner_id = %(owner_id)s",
    "a function of an outer row":
        "SELECT t.title FROM tasks AS t WHERE t.owner_id = %(owner_id)s AND EXISTS (SELECT FROM"
        " ledgers AS l WHERE l.owner_id = t.owner_id AND is_open(t)) ORDER BY t.title",
    "a function of a row with defaults that are constants":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND is_short(tasks) ORDER BY title",
    "a field of a function's row":
        "SELECT tasks.is_open AS o FROM tasks WHERE tasks.owner_id = %(owner_id)s",
}  # fmt: skip

LEAKS_OF_ROWS = {
    "a function of a row of a table that is not bound":
        "SELECT title FROM tasks WHERE is_listed(tasks, FALSE, '{}') AND id <> %(owner_id)s",
    "a function of a row of the table beside":
        "SELECT e.version FROM tasks AS t INNER JOIN ledger_entries AS e ON is_open(t)"
        " WHERE t.owner_id = %(owner_id)s",
    "a function of a row that compares its owner":
        "SELECT title FROM tasks WHERE is_listed(tasks, owner_id = %(other)s, '{}') IS NOT NULL"
        " AND id <> %(owner_id)s",
    "a function of a row that reads the table":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND is_first(tasks)",
    "a function of a row that calls one that reads the table":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND is_open_and_first(tasks)",
    "a function of a row that reads a view":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND is_last(tasks)",
    "a function of a row whose body is a text that reads":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND is_known(tasks)",
    "a function of a row with a default that reads":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND is_few(tasks)",
    "an operator of a row":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND tasks <<< %(bob_title)s",
    "a function of a row that uses an operator that reads":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND is_less(tasks)",
    "a function of a row in PL/pgSQL that uses an operator that reads":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND is_less_by_text(tasks)",
}  # fmt: skip

REFUSED_OF_ROWS = {
    "a function of a row with an effect":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND is_set(tasks)",
    "a function of a row that locks":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND is_locked(tasks)",
    "a row that is a parameter":
        "SELECT is_open(%(title)s::tasks) AS o",
}  # fmt: skip

ACCEPTED = {
    "a predicate": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND id = %(id)s",
    "the parameter first, with a cast":
        "SELECT title FROM tasks WHERE %(owner_id)s::uuid = owner_id",
    "another cast": "SELECT title FROM tasks WHERE CAST(%(owner_id)s AS uuid) = owner_id",
    "parentheses":
        "SELECT title FROM tasks WHERE (((owner_id) = (%(owner_id)s)) AND (id = %(id)s))",
    "capitals": "SELECT TITLE FROM TASKS WHERE OWNER_ID = %(owner_id)s",
    "quoted names": 'SELECT "title" FROM "tasks" WHERE "tasks"."owner_id" = %(owner_id)s',
    "names with escapes":
        r"""SELECT title FROM U&"t\0061sks" WHERE U&"owner!005Fid" UESCAPE '!' = %(owner_id)s""",
    "the schema":
        "SELECT public.tasks.title FROM public.tasks WHERE public.tasks.owner_id = %(owner_id)s",
    "an operator by its schema":
        "SELECT title FROM tasks WHERE owner_id OPERATOR(pg_catalog.=) %(owner_id)s",
    "comments everywhere":
        "SELECT title -- the title\nFROM tasks /* all /* of */ them */ WHERE -- mine\n"
        "-- only\nowner_id /* is */ = %(owner_id)s",
    "no blanks":
        "SELECT title FROM tasks WHERE(owner_id=%(owner_id)s)AND(id=%(id)s)ORDER BY(title)",
    "a line that looks like a header within a text":
        "SELECT title FROM tasks WHERE title <> '\n-- @writes' AND owner_id = %(owner_id)s",
    "a line that begins with -- within a text":
        "SELECT title FROM tasks WHERE title <> '\n--' AND owner_id = %(owner_id)s AND title <>"
        " '\n'",
    "an or beside it":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND (id = %(id)s OR title = '')",
    "a predicate that is stronger than needed":
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND owner_id = ANY(%(ids)s::uuid[])",
    "a backslash before the quote":
        r"SELECT title FROM tasks WHERE title <> '\' AND owner_id = %(owner_id)s AND title <> '--'",
    "a dollar-quoted quote":
        "SELECT title FROM tasks WHERE title <> $q$'$q$ AND owner_id = %(owner_id)s AND title <>"
        " ''",
    "a percent sign": "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND title LIKE 'a%%'",
    "a list of one": "SELECT title FROM tasks WHERE owner_id IN (%(owner_id)s)",
    "a row": "SELECT title FROM tasks WHERE (owner_id, id) = (%(owner_id)s, %(id)s)",
    "a row of rows": "SELECT title FROM tasks WHERE (id, owner_id) IN ((%(id)s, %(owner_id)s))",
    "users by their id": "SELECT email FROM users WHERE id = %(owner_id)s",
    "an alias that is another table's name":
        "SELECT ledgers.title FROM tasks AS ledgers WHERE ledgers.owner_id = %(owner_id)s",
    "an alias with a blank and braces":
        'SELECT " {QUERY :x (".title FROM tasks AS " {QUERY :x (" WHERE owner_id = %(owner_id)s',
    "columns renamed": "SELECT t.c FROM tasks AS t (a, b, c) WHERE t.a = %(owner_id)s",
    "a long name":
        f"SELECT {'t' * 70}.title FROM tasks AS {'t' * 63} WHERE owner_id = %(owner_id)s",
    "an inner join by the owner":
        "SELECT e.version FROM tasks AS t INNER JOIN ledger_entries AS e ON e.owner_id = t.owner_id"
        " WHERE t.owner_id = %(owner_id)s ORDER BY e.version, t.id",
    "a natural join":
        "SELECT users.email FROM ledgers NATURAL JOIN credentials INNER JOIN users ON id = owner_id"
        " WHERE owner_id = %(owner_id)s",
    "using":
        "SELECT t.title FROM ledgers INNER JOIN tasks AS t USING (owner_id)"
        " WHERE owner_id = %(owner_id)s ORDER BY t.id",
    "using with an alias":
        "SELECT t.title FROM ledgers INNER JOIN tasks AS t USING (owner_id) AS j"
        " WHERE j.owner_id = %(owner_id)s ORDER BY t.id",
    "an alias for a join":
        "SELECT j.title FROM (ledgers INNER JOIN tasks USING (owner_id, version)) AS j"
        " WHERE j.owner_id = %(owner_id)s",
    "commas": "SELECT t.title FROM ledgers AS l, tasks AS t, users AS u WHERE u.id = l.owner_id"
        " AND l.owner_id = t.owner_id AND %(owner_id)s = u.id ORDER BY t.id",
    "on that compares the parameter with itself beside it":
        "SELECT t.title FROM ledgers AS l INNER JOIN tasks AS t ON %(owner_id)s::uuid ="
        " %(owner_id)s"
        " WHERE t.owner_id = %(owner_id)s AND l.owner_id = %(owner_id)s ORDER BY t.id",
    "a left join that binds its right side":
        "SELECT l.version, t.title FROM ledgers AS l LEFT JOIN tasks AS t"
        " ON t.owner_id = l.owner_id AND t.version = 7 WHERE l.owner_id = %(owner_id)s",
    "a left join that where makes an inner one":
        "SELECT t.title FROM users AS u LEFT JOIN tasks AS t ON t.version > 0"
        " WHERE t.owner_id = %(owner_id)s AND u.id = t.owner_id ORDER BY t.id",
    "a right join":
        "SELECT t.title FROM tasks AS t RIGHT JOIN ledgers AS l ON t.owner_id = l.owner_id"
        " AND l.owner_id = %(owner_id)s WHERE l.owner_id = %(owner_id)s ORDER BY t.id",
    "a full join of bound sub-selects":
        "SELECT coalesce(a.title, b.action) AS x FROM (SELECT title, version FROM tasks"
        " WHERE owner_id = %(owner_id)s) AS a FULL JOIN (SELECT action, version FROM ledger_entries"
        " WHERE owner_id = %(owner_id)s) AS b USING (version) ORDER BY 1",
    "a full join that where binds on both sides":
        "SELECT t.title FROM tasks AS t FULL JOIN ledgers AS l ON t.owner_id = l.owner_id"
        " WHERE t.owner_id = %(owner_id)s AND l.owner_id = %(owner_id)s ORDER BY t.id",
    "nested outer joins":
        "SELECT t.title, e.action FROM users AS u LEFT JOIN (tasks AS t LEFT JOIN ledger_entries"
        " AS e"
        " ON e.owner_id = t.owner_id AND e.version = t.version) ON t.owner_id = u.id"
        " WHERE u.id = %(owner_id)s ORDER BY t.id",
    "a bound CTE":
        "WITH t AS (SELECT owner_id, id FROM tasks WHERE owner_id = %(owner_id)s)"
        " SELECT k.body FROM idempotency_keys AS k INNER JOIN t ON k.owner_id = t.owner_id",
    "a CTE with a table's name":
        "WITH tasks AS (SELECT owner_id, title FROM tasks WHERE owner_id = %(owner_id)s)"
        " SELECT title FROM tasks ORDER BY title",
    "a CTE in a CTE":
        "WITH a AS (WITH a AS (SELECT owner_id FROM ledgers WHERE owner_id = %(owner_id)s)"
        " SELECT owner_id FROM a) SELECT t.title FROM tasks AS t, a WHERE t.owner_id = a.owner_id"
        " ORDER BY t.id",
    "a CTE called recursive that is not":
        "WITH RECURSIVE b AS (SELECT owner_id FROM a), a AS (SELECT owner_id FROM ledgers"
        " WHERE owner_id = %(owner_id)s) SELECT b.owner_id FROM b",
    "a materialized CTE": "WITH t AS MATERIALIZED (SELECT title FROM tasks"
        " WHERE owner_id = %(owner_id)s) SELECT t.title FROM t ORDER BY t.title",
    "both branches of a union":
        "WITH o AS (SELECT owner_id FROM ledgers WHERE owner_id = %(owner_id)s UNION ALL"
        " SELECT owner_id FROM tasks WHERE owner_id = %(owner_id)s)"
        " SELECT k.body FROM idempotency_keys AS k INNER JOIN o ON k.owner_id = o.owner_id",
    "set operations":
        "(SELECT title FROM tasks WHERE owner_id = %(owner_id)s INTERSECT SELECT title FROM tasks"
        " WHERE %(owner_id)s = owner_id) EXCEPT SELECT body FROM idempotency_keys"
        " WHERE owner_id = %(owner_id)s ORDER BY title LIMIT 1",
    "a sub-select that the outside filters":
        "SELECT s.title FROM (SELECT title, owner_id AS o FROM tasks) AS s WHERE s.o = %(owner_id)s"
        " ORDER BY s.title",
    "a union that the outside filters":
        "SELECT s.x FROM (SELECT owner_id AS o, title AS x FROM tasks UNION ALL SELECT owner_id,"
        " body"
        " FROM idempotency_keys) AS s WHERE s.o = %(owner_id)s ORDER BY s.x",
    "a union of sub-selects that a join filters":
        "SELECT s.x FROM ledgers AS l INNER JOIN (SELECT o, x FROM (SELECT owner_id AS o, title"
        " AS x"
        " FROM tasks) AS t UNION SELECT owner_id, body FROM idempotency_keys) AS s"
        " ON s.o = l.owner_id WHERE l.owner_id = %(owner_id)s ORDER BY s.x",
    "a distinct that the outside filters":
        "SELECT s.o FROM (SELECT DISTINCT owner_id AS o FROM tasks) AS s WHERE s.o = %(owner_id)s",
    "a left join's sub-select that on filters":
        "SELECT l.version, s.title FROM ledgers AS l LEFT JOIN (SELECT owner_id, title FROM"
        " tasks) AS s"
        " ON s.owner_id = l.owner_id WHERE l.owner_id = %(owner_id)s ORDER BY s.title",
    "a view": "SELECT action FROM audit_changes WHERE owner_id = %(owner_id)s ORDER BY version",
    "the view of all items":
        "SELECT kind, version FROM items WHERE items.owner_id = %(owner_id)s ORDER BY version",
    "the view of all items, in a page":
        "SELECT page.last FROM ledgers CROSS JOIN LATERAL (SELECT page_last(ARRAY(SELECT"
        " json_build_object('version', items.version) FROM items WHERE items.owner_id ="
        " ledgers.owner_id AND items.version > 0 ORDER BY items.version LIMIT 3), 1)::text AS last)"
        " AS page WHERE ledgers.owner_id = %(owner_id)s",
    "a view in a join":
        "SELECT v.email FROM ledgers AS l INNER JOIN audit_open_sessions AS v USING (owner_id)"
        " WHERE l.owner_id = %(owner_id)s",
    "a lateral bound from outside":
        "SELECT p.n FROM ledgers CROSS JOIN LATERAL (SELECT count(*) AS n FROM tasks"
        " WHERE tasks.owner_id = ledgers.owner_id) AS p WHERE ledgers.owner_id = %(owner_id)s",
    "a lateral in a function's argument":
        "SELECT x FROM ledgers AS l CROSS JOIN LATERAL unnest(ARRAY(SELECT title FROM tasks AS t"
        " WHERE t.owner_id = l.owner_id ORDER BY title)) AS x WHERE l.owner_id = %(owner_id)s",
    "lateral values of the owner":
        "SELECT t.title FROM ledgers AS l CROSS JOIN LATERAL (VALUES (l.owner_id), (%(owner_id)s))"
        " AS v (x) INNER JOIN tasks AS t ON t.owner_id = v.x WHERE l.owner_id = %(owner_id)s"
        " ORDER BY t.title",
    "an id from an array that where compares":
        "SELECT t.title FROM unnest(%(ids)s::uuid[]) AS o (x) INNER JOIN tasks AS t ON"
        " t.owner_id = o.x"
        " WHERE o.x = %(owner_id)s ORDER BY t.title",
    "sub-selects bound from outside":
        "SELECT (SELECT count(*) FROM tasks AS t WHERE t.owner_id = l.owner_id) AS n,"
        " ARRAY(SELECT title FROM tasks AS t WHERE t.owner_id = l.owner_id ORDER BY title) AS"
        " titles"
        " FROM ledgers AS l WHERE l.owner_id = %(owner_id)s"
        " AND EXISTS (SELECT FROM tasks AS t WHERE t.owner_id = l.owner_id)",
    "sub-selects in every clause":
        "SELECT owner_id, count(*) AS n FROM tasks WHERE owner_id = %(owner_id)s"
        " GROUP BY owner_id HAVING count(*) > (SELECT 0) AND EXISTS (SELECT FROM ledgers AS l"
        " WHERE l.owner_id = %(owner_id)s) ORDER BY (SELECT 1) LIMIT (SELECT count(*) FROM"
        " ledgers AS l"
        " WHERE l.owner_id = %(owner_id)s) OFFSET (SELECT 0)",
    "a sub-select in an aggregate":
        "SELECT sum((SELECT count(*) FROM tasks AS t WHERE t.owner_id = tasks.owner_id)) AS n"
        " FROM tasks WHERE owner_id = %(owner_id)s",
    "grouped and joined again":
        "SELECT t.title FROM (SELECT owner_id AS o, max(version) AS v FROM tasks"
        " WHERE owner_id = %(owner_id)s GROUP BY owner_id) AS g INNER JOIN tasks AS t"
        " ON t.owner_id = g.o AND t.version = g.v",
    "windows":
        "SELECT title, lag(title) OVER w AS other, count(*) FILTER (WHERE version > 1) OVER w"
        " AS n FROM tasks WHERE owner_id = %(owner_id)s WINDOW w AS (ORDER BY version)",
    "distinct on": "SELECT DISTINCT ON (owner_id) owner_id, title FROM tasks"
        " WHERE owner_id = %(owner_id)s ORDER BY owner_id, title DESC",
    "rollup": "SELECT owner_id, count(*) AS n FROM tasks WHERE owner_id = %(owner_id)s"
        " GROUP BY ROLLUP (owner_id) ORDER BY owner_id",
    "an ordered-set aggregate": "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY title) AS m"
        " FROM tasks WHERE owner_id = %(owner_id)s",
    "a whole row": "SELECT row_to_json(t)::jsonb - 'created_at' - 'updated_at' - 'document' AS t"
        " FROM tasks AS t WHERE owner_id = %(owner_id)s AND id = %(id)s",
    "a record that the statement defines":
        "SELECT t.title FROM json_to_recordset(%(x)s::json) AS given (c uuid), tasks AS t"
        " WHERE t.owner_id = %(owner_id)s ORDER BY t.title",
    "many expressions":
        "SELECT CASE WHEN version > 1 THEN 'a' ELSE coalesce(description, nullif(title, '')) END"
        " AS a,"
        " greatest(version, 1)::text || '-' AS b, (ARRAY[id, owner_id])[1] AS c,"
        " ROW(id, version) < ROW(id, 2) AS d, is_completed IS NOT TRUE AS e, current_user AS f"
        " FROM tasks WHERE owner_id = %(owner_id)s ORDER BY version",
    "a table without owners": "SELECT session_id FROM ended_sessions",
    "no table": "SELECT %(title)s::text AS title, 1 + 1 AS two",
    "values": "VALUES (1, %(title)s::text), (2, NULL)",
    "the owner of row security":
        "SELECT set_config('app.owner_id', %(owner_id)s, TRUE) AS owner_id",
    "a timeout": "SELECT set_config('statement_timeout', '120s', TRUE) AS timeout",
    "an update": "UPDATE sessions AS s SET last_used_at = %(then)s WHERE s.owner_id = %(owner_id)s"
        " RETURNING s.id",
    "an update to the same owner":
        "UPDATE known_addresses SET owner_id = %(owner_id)s, last_login_at = %(then)s"
        " WHERE owner_id = %(owner_id)s RETURNING owner_id",
    "an update from a bound relation":
        "UPDATE sessions SET last_used_at = %(then)s FROM ledgers AS l"
        " WHERE sessions.owner_id = l.owner_id AND l.owner_id = %(owner_id)s RETURNING l.version",
    "an update that returns a sub-select bound by its row":
        "UPDATE sessions SET last_used_at = %(then)s WHERE owner_id = %(owner_id)s"
        " RETURNING (SELECT count(*) FROM tasks WHERE tasks.owner_id = sessions.owner_id) AS n",
    "a delete with using and returning":
        "DELETE FROM sessions USING ledgers AS l WHERE sessions.owner_id = %(owner_id)s"
        " AND l.owner_id = sessions.owner_id RETURNING sessions.id, l.version",
    "a delete of what a CTE has locked":
        "WITH old AS (SELECT owner_id, id FROM sessions WHERE owner_id = %(owner_id)s"
        " FOR UPDATE SKIP LOCKED) DELETE FROM sessions USING old"
        " WHERE sessions.owner_id = old.owner_id AND sessions.id = old.id",
    "an insert without columns":
        "INSERT INTO known_addresses VALUES (%(owner_id)s, %(new_hash)s) RETURNING address_hash",
    "an insert of several rows":
        "INSERT INTO known_addresses (address_hash, owner_id) VALUES (%(new_hash)s, %(owner_id)s),"
        " ('x', %(owner_id)s) RETURNING owner_id, address_hash",
    "an insert of a bound select":
        "INSERT INTO known_addresses (owner_id, address_hash) SELECT owner_id, %(new_hash)s"
        " FROM ledgers WHERE owner_id = %(owner_id)s RETURNING address_hash",
    "an upsert of the owner's own row":
        "INSERT INTO known_addresses (owner_id, address_hash) VALUES (%(owner_id)s, %(hash)s)"
        " ON CONFLICT (owner_id, address_hash) DO UPDATE SET last_login_at = excluded.last_login_at"
        " RETURNING owner_id",
    "an upsert by the name of the constraint":
        "INSERT INTO known_addresses (owner_id, address_hash) VALUES (%(owner_id)s, %(hash)s)"
        " ON CONFLICT ON CONSTRAINT known_addresses_pkey DO UPDATE SET last_login_at = %(then)s",
    "an upsert that checks the row":
        "INSERT INTO users (id, email, email_key) VALUES (%(owner_id)s, 'alice', 'alice')"
        " ON CONFLICT (email_key) DO UPDATE SET disabled_at = %(then)s"
        " WHERE users.id = %(owner_id)s RETURNING id",
    "chained writes":
        "WITH gone AS (DELETE FROM sessions WHERE owner_id = %(owner_id)s RETURNING owner_id, id),"
        " noted AS (INSERT INTO ended_sessions (session_id) SELECT id FROM gone ON CONFLICT DO"
        " NOTHING),"
        " known AS (INSERT INTO known_addresses (owner_id, address_hash) SELECT owner_id,"
        " %(new_hash)s"
        " FROM gone RETURNING address_hash) SELECT gone.id, known.address_hash FROM gone, known",
    "a lock of what from names":
        "SELECT t.id FROM tasks AS t INNER JOIN ledgers AS l USING (owner_id)"
        " WHERE l.owner_id = %(owner_id)s ORDER BY t.id FOR NO KEY UPDATE OF t NOWAIT",
    "an advisory lock":
        "SELECT pg_try_advisory_xact_lock(hashtextextended(%(owner_id)s::text || %(title)s, 0))"
        " AS l",
}  # fmt: skip

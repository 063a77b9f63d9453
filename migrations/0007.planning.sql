-- Planning: lists, labels and saved filters; due dates, priorities, subtasks and order of tasks; each
-- account's time zone.
--
-- An instant that follows from a local date or time is computed by the application alone. It is
-- derived data: no change of it takes a version, so that a floating task moves with its owner's zone.
-- depends: 0006.audit

-- It rewrites the table tasks in its transaction: before the first release no table is large.
-- squawk-ignore-file adding-field-with-default, adding-foreign-key-constraint, ban-drop-column
-- squawk-ignore-file ban-drop-constraint, ban-drop-function, ban-drop-view, require-concurrent-index-creation
-- squawk-ignore-file constraint-missing-not-valid

ALTER TABLE users
ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC',
ADD COLUMN reminder_time text NOT NULL DEFAULT '09:00',
ADD CONSTRAINT users_time_zone_length CHECK (char_length(time_zone) BETWEEN 1 AND 64),
ADD CONSTRAINT users_reminder_time_format CHECK (reminder_time ~ '^([01]\d|2[0-3]):[0-5]\d$');

COMMENT ON COLUMN users.time_zone IS
'The zone of local days, and of times without a zone of their own; a name in tzdata, which the application checks.';
COMMENT ON COLUMN users.reminder_time IS 'The local time from which reminders of all-day tasks count.';

ALTER TABLE ledgers ADD COLUMN recompute_count integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN ledgers.recompute_count IS
'Number of times that instants of floating tasks were recomputed, which takes no version.';

CREATE FUNCTION list_tag(version bigint, recompute_count integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN version::text || CASE WHEN recompute_count > 0 THEN '.' || recompute_count::text ELSE '' END;

COMMENT ON FUNCTION list_tag(bigint, integer) IS 'Entity tag of an owner''s lists of items.';

CREATE FUNCTION first_position(version bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lpad(to_hex(version), 12, '0') || 'h';

COMMENT ON FUNCTION first_position(bigint) IS
'The position of an item made by that version: behind every other item of its owner.';

CREATE FUNCTION is_kept(item json, document json) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN item::text = document::text
OR document::jsonb || (item::jsonb - 'due_at') = document::jsonb;

COMMENT ON FUNCTION is_kept(json, json) IS
'Whether a document says what its ledger entry recorded: it may have fields that are newer, and another due_at.';

CREATE FUNCTION is_position(given text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN given ~ '^[0-9a-z]*[1-9a-z]$' AND char_length(given) <= 250;  -- a bound in the pattern takes 30 µs

COMMENT ON FUNCTION is_position(text) IS
'Whether it is a place in an order by bytes: a fraction in base 36, which never ends in 0, as nothing would fit '
'before it.';

CREATE FUNCTION is_local_time(given text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN given ~ '^(19[7-9]|2[01]\d)\d-[01]\d-[0-3]\d(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d)?$'
        AND pg_catalog.make_date(
            pg_catalog.left(given, 4)::pg_catalog.int4,
            pg_catalog.substr(given, 6, 2)::pg_catalog.int4,
            pg_catalog.substr(given, 9, 2)::pg_catalog.int4
        ) IS NOT NULL;
EXCEPTION WHEN datetime_field_overflow THEN
    RETURN FALSE;
END
$$;

COMMENT ON FUNCTION is_local_time(text) IS
'Whether it is a local date, or a local date and time, from 1970 to 2199: 2026-10-07 or 2026-10-07T09:00:00.';

-- position() of bytes finds a word's first byte and compares the rest at once. LIKE and position() of
-- text take the product of both lengths for words such as aaa…b and baaa….
CREATE FUNCTION has_words(title_folded text, description_folded text, words bytea[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    searched pg_catalog.bytea := pg_catalog.convert_to(title_folded || E'\n' || description_folded, 'UTF8');
    word pg_catalog.bytea;
BEGIN
    FOREACH word IN ARRAY words LOOP
        IF position(word IN searched) = 0 THEN
            RETURN FALSE;
        END IF;
    END LOOP;
    RETURN TRUE;
END
$$;

COMMENT ON FUNCTION has_words(text, text, bytea[]) IS
'Whether each word, which has no line break, is in the title or the description.';

-- Conditions of lists of tasks, inlined where they are called. Of a CASE the planner expects that it
-- holds for half of the rows; of an OR with a comparison, for few, and then it would rather sort all
-- rows than follow an index.

-- The first word is looked for without a call, which would take longer than most texts.
CREATE FUNCTION matches(title_folded text, description_folded text, words bytea[]) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN words IS NULL THEN TRUE
    WHEN position(words[1] IN convert_to(title_folded || E'\n' || description_folded, 'UTF8')) = 0 THEN FALSE
    ELSE cardinality(words) = 1 OR has_words(title_folded, description_folded, words)
END;

COMMENT ON FUNCTION matches(text, text, bytea[]) IS
'Whether title and description have each word of a search, given in UTF-8, the rarest first; null is no search.';

CREATE FUNCTION passes(facets jsonb, filter jsonpath, filter_values jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN filter IS NULL THEN TRUE ELSE jsonb_path_match(facets, filter, filter_values, TRUE) END;

COMMENT ON FUNCTION passes(jsonb, jsonpath, jsonb) IS
'Whether a task''s facets meet a filter, whose variables are in filter_values; null is no filter.';

CREATE FUNCTION is_known(
    tag text, hash bytea, known_tags text[], known_tag text, known_hash bytea
) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN tag = ANY(known_tags) OR (hash = known_hash AND tag = known_tag) IS TRUE;

COMMENT ON FUNCTION is_known(text, bytea, text[], text, bytea) IS
'Whether a client has the page already, by its entity tag, or this process, by tag and hash of the ledger.';

-- Lists

CREATE FUNCTION list_document(
    id uuid,
    owner_id uuid,
    title text,
    description text,
    color text,
    "position" text,
    archived_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    version bigint
) RETURNS json
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN pg_catalog.json_build_object(
        'id', id,
        'owner_id', owner_id,
        'title', title,
        'description', description,
        'color', color,
        'position', "position",
        'archived_at', public.utc(archived_at),
        'created_at', public.utc(created_at),
        'updated_at', public.utc(updated_at),
        'version', version
    );
END
$$;

COMMENT ON FUNCTION list_document(
    uuid, uuid, text, text, text, text, timestamptz, timestamptz, timestamptz, bigint
) IS 'A list as the API returns it.';

CREATE TABLE lists (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    title text COLLATE "C" NOT NULL,
    title_folded text COLLATE "C" NOT NULL,
    description text,
    color text,
    position text COLLATE "C" NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    version bigint NOT NULL,
    last_action text NOT NULL,
    request_id text NOT NULL,
    session_id uuid,
    document json NOT NULL GENERATED ALWAYS AS (
        list_document(
            id, owner_id, title, description, color, position, archived_at, created_at, updated_at,
            version
        )
    ) STORED,
    CONSTRAINT lists_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT lists_owner_fkey FOREIGN KEY (owner_id) REFERENCES ledgers (
        owner_id
    ) ON DELETE CASCADE,
    CONSTRAINT lists_title_length CHECK (char_length(title) BETWEEN 1 AND 255),
    CONSTRAINT lists_title_trimmed CHECK (title = trimmed(title)),
    CONSTRAINT lists_description_length CHECK (char_length(description) <= 5000),
    CONSTRAINT lists_color_format CHECK (color ~ '^#[0-9a-f]{6}$'),
    CONSTRAINT lists_position_format CHECK (is_position(position)),
    CONSTRAINT lists_last_action CHECK (
        last_action IN (
            'create', 'update', 'move', 'archive', 'unarchive', 'delete', 'restore'
        )
    ),
    CONSTRAINT lists_deleted_last CHECK ((last_action = 'delete') = (deleted_at IS NOT NULL))
);

CREATE UNIQUE INDEX lists_owner_version ON lists (owner_id, version) WHERE version > 0;
CREATE INDEX lists_owner_trash ON lists (owner_id, version)
WHERE version > 0 AND deleted_at IS NOT NULL;
CREATE INDEX lists_owner_position ON lists (owner_id, position, id);

COMMENT ON TABLE lists IS
'Lists of tasks. A task is hidden while its list is archived or in the trash; its own row stays as it is.';
COMMENT ON COLUMN lists.title_folded IS 'The title, folded by the application, for filters.';

CREATE TRIGGER lists_recorded AFTER INSERT OR UPDATE ON lists
FOR EACH ROW EXECUTE FUNCTION record_change('list');

-- Labels

CREATE FUNCTION label_document(
    id uuid,
    owner_id uuid,
    name text,
    color text,
    "position" text,
    created_at timestamptz,
    updated_at timestamptz,
    version bigint
) RETURNS json
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN pg_catalog.json_build_object(
        'id', id,
        'owner_id', owner_id,
        'name', name,
        'color', color,
        'position', "position",
        'created_at', public.utc(created_at),
        'updated_at', public.utc(updated_at),
        'version', version
    );
END
$$;

COMMENT ON FUNCTION label_document(
    uuid, uuid, text, text, text, timestamptz, timestamptz, bigint
) IS 'A label as the API returns it.';

CREATE TABLE labels (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    name_key bytea NOT NULL,
    color text,
    position text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    removed_from bigint,
    version bigint NOT NULL,
    last_action text NOT NULL,
    request_id text NOT NULL,
    session_id uuid,
    document json NOT NULL GENERATED ALWAYS AS (
        label_document(id, owner_id, name, color, position, created_at, updated_at, version)
    ) STORED,
    CONSTRAINT labels_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT labels_owner_fkey FOREIGN KEY (owner_id) REFERENCES ledgers (
        owner_id
    ) ON DELETE CASCADE,
    CONSTRAINT labels_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT labels_name_trimmed CHECK (name = trimmed(name)),
    CONSTRAINT labels_name_key_length CHECK (octet_length(name_key) = 32),
    CONSTRAINT labels_color_format CHECK (color ~ '^#[0-9a-f]{6}$'),
    CONSTRAINT labels_position_format CHECK (is_position(position)),
    CONSTRAINT labels_last_action CHECK (
        last_action IN ('create', 'update', 'move', 'delete', 'restore')
    ),
    CONSTRAINT labels_deleted_last CHECK ((last_action = 'delete') = (deleted_at IS NOT NULL))
);

CREATE UNIQUE INDEX labels_name_unique ON labels (owner_id, name_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX labels_owner_version ON labels (owner_id, version) WHERE version > 0;
CREATE INDEX labels_owner_trash ON labels (owner_id, version)
WHERE version > 0 AND deleted_at IS NOT NULL;
CREATE INDEX labels_owner_position ON labels (owner_id, position, id);

COMMENT ON TABLE labels IS 'Labels; tasks name theirs in label_ids.';
COMMENT ON COLUMN labels.name_key IS
'SHA-256 of the name, case-folded in NFKC: names that differ in case or normal form alone are one name.';
COMMENT ON COLUMN labels.removed_from IS
'In the trash: the deletion took the label from the tasks whose versions are from this one up to the label''s.';

CREATE TRIGGER labels_recorded AFTER INSERT OR UPDATE ON labels
FOR EACH ROW EXECUTE FUNCTION record_change('label');

-- Saved filters

CREATE FUNCTION filter_document(
    id uuid,
    owner_id uuid,
    title text,
    query text,
    sort text,
    "position" text,
    created_at timestamptz,
    updated_at timestamptz,
    version bigint
) RETURNS json
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN pg_catalog.json_build_object(
        'id', id,
        'owner_id', owner_id,
        'title', title,
        'query', query,
        'sort', sort,
        'position', "position",
        'created_at', public.utc(created_at),
        'updated_at', public.utc(updated_at),
        'version', version
    );
END
$$;

COMMENT ON FUNCTION filter_document(
    uuid, uuid, text, text, text, text, timestamptz, timestamptz, bigint
) IS 'A saved filter as the API returns it.';

CREATE TABLE filters (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    title text COLLATE "C" NOT NULL,
    query text NOT NULL,
    sort text NOT NULL,
    position text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    version bigint NOT NULL,
    last_action text NOT NULL,
    request_id text NOT NULL,
    session_id uuid,
    document json NOT NULL GENERATED ALWAYS AS (
        filter_document(
            id, owner_id, title, query, sort, position, created_at, updated_at, version
        )
    ) STORED,
    CONSTRAINT filters_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT filters_owner_fkey FOREIGN KEY (owner_id) REFERENCES ledgers (
        owner_id
    ) ON DELETE CASCADE,
    CONSTRAINT filters_title_length CHECK (char_length(title) BETWEEN 1 AND 255),
    CONSTRAINT filters_title_trimmed CHECK (title = trimmed(title)),
    CONSTRAINT filters_query_length CHECK (char_length(query) BETWEEN 1 AND 1000),
    CONSTRAINT filters_sort_length CHECK (char_length(sort) BETWEEN 1 AND 20),
    CONSTRAINT filters_position_format CHECK (is_position(position)),
    CONSTRAINT filters_last_action CHECK (
        last_action IN ('create', 'update', 'move', 'delete', 'restore')
    ),
    CONSTRAINT filters_deleted_last CHECK ((last_action = 'delete') = (deleted_at IS NOT NULL))
);

CREATE UNIQUE INDEX filters_owner_version ON filters (owner_id, version) WHERE version > 0;
CREATE INDEX filters_owner_trash ON filters (owner_id, version)
WHERE version > 0 AND deleted_at IS NOT NULL;
CREATE INDEX filters_owner_position ON filters (owner_id, position, id);

COMMENT ON TABLE filters IS 'Saved filters: the text of the parameter filter, and a sort order.';

CREATE TRIGGER filters_recorded AFTER INSERT OR UPDATE ON filters
FOR EACH ROW EXECUTE FUNCTION record_change('filter');

-- Tasks. Their documents get more fields, so that the stored ones are computed again.

DROP VIEW audit_rows_per_owner;
DROP VIEW items;
DROP TRIGGER tasks_recorded ON tasks;
ALTER TABLE tasks DROP COLUMN document;
DROP FUNCTION task_document(uuid, uuid, text, text, timestamptz, timestamptz, timestamptz, bigint);

ALTER TABLE tasks
ADD COLUMN list_id uuid,
ADD COLUMN parent_id uuid,
ADD COLUMN root_id uuid,
ADD COLUMN is_parent boolean NOT NULL DEFAULT FALSE,
ADD COLUMN position text COLLATE "C" NOT NULL DEFAULT 'h',
ADD COLUMN priority smallint NOT NULL DEFAULT 0,
ADD COLUMN label_ids uuid[] NOT NULL DEFAULT '{}',
ADD COLUMN due text COLLATE "C",
ADD COLUMN start text COLLATE "C",
ADD COLUMN time_zone text,
ADD COLUMN due_at timestamptz,
ADD COLUMN due_begins_at timestamptz,
ADD COLUMN start_at timestamptz,
ADD COLUMN computed_zone text,
ADD COLUMN deleted_from bigint;

-- With row security on, not even the owner of the table would see the rows.
ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY;

UPDATE tasks
SET position = first_position(numbered.number)
FROM (
    SELECT owner_id, id, row_number() OVER (PARTITION BY owner_id ORDER BY id) AS number
    FROM tasks
) AS numbered
WHERE tasks.owner_id = numbered.owner_id AND tasks.id = numbered.id;

ALTER TABLE tasks FORCE ROW LEVEL SECURITY;

CREATE FUNCTION task_document(
    id uuid,
    owner_id uuid,
    title text,
    description text,
    completed_at timestamptz,
    list_id uuid,
    parent_id uuid,
    "position" text,
    priority integer,
    label_ids uuid[],
    due text,
    start text,
    time_zone text,
    due_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    version bigint
) RETURNS json
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN pg_catalog.json_build_object(
        'id', id,
        'owner_id', owner_id,
        'title', title,
        'description', description,
        'is_completed', completed_at IS NOT NULL,
        'completed_at', public.utc(completed_at),
        'list_id', list_id,
        'parent_id', parent_id,
        'position', "position",
        'priority', priority,
        'label_ids', label_ids,
        'due', due,
        'start', start,
        'time_zone', time_zone,
        'due_at', public.utc(due_at),
        'created_at', public.utc(created_at),
        'updated_at', public.utc(updated_at),
        'version', version
    );
END
$$;

COMMENT ON FUNCTION task_document(
    uuid, uuid, text, text, timestamptz, uuid, uuid, text, integer, uuid[], text, text, text,
    timestamptz, timestamptz, timestamptz, bigint
) IS 'A task as the API returns it.';

CREATE FUNCTION task_facets(
    title_folded text,
    completed_at timestamptz,
    list_id uuid,
    parent_id uuid,
    priority integer,
    label_ids uuid[],
    due_at timestamptz,
    due_begins_at timestamptz,
    start_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz
) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN pg_catalog.jsonb_build_object(
        'title', title_folded,
        'completed', completed_at IS NOT NULL,
        'list', list_id,
        'parent', parent_id,
        'priority', priority,
        'labels', label_ids,
        'overdue', extract(EPOCH FROM due_at),
        'due', extract(EPOCH FROM due_begins_at),
        'start', extract(EPOCH FROM start_at),
        'created', extract(EPOCH FROM created_at),
        'updated', extract(EPOCH FROM updated_at)
    );
END
$$;

COMMENT ON FUNCTION task_facets(
    text, timestamptz, uuid, uuid, integer, uuid[], timestamptz, timestamptz, timestamptz,
    timestamptz, timestamptz
) IS 'What filters compare, times in seconds since 1970; overdue is the time from which the task is.';

-- One function, and one CHECK that calls it: a CHECK of each rule would cost each write 18 µs.
CREATE FUNCTION is_planned(
    "position" text,
    priority integer,
    label_ids uuid[],
    due text,
    start text,
    time_zone text,
    due_at timestamptz,
    due_begins_at timestamptz,
    start_at timestamptz,
    computed_zone text,
    parent_id uuid,
    root_id uuid
) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN public.is_position("position")
        AND priority BETWEEN 0 AND 9
        AND pg_catalog.cardinality(label_ids) <= 50
        AND (due IS NULL OR public.is_local_time(due))
        AND (start IS NULL OR public.is_local_time(start))
        AND (time_zone IS NULL OR time_zone = computed_zone)
        AND (due IS NULL) = (due_at IS NULL)
        AND (due IS NULL) = (due_begins_at IS NULL)
        AND (start IS NULL) = (start_at IS NULL)
        AND (due IS NULL AND start IS NULL) = (computed_zone IS NULL)
        AND (parent_id IS NULL) = (root_id IS NULL);
END
$$;

COMMENT ON FUNCTION is_planned(
    text, integer, uuid[], text, text, text, timestamptz, timestamptz, timestamptz, text, uuid, uuid
) IS
'Whether the columns for planning are in their ranges and go together; priority is as in RFC 5545: 0 none, 1 highest.';

ALTER TABLE tasks
ADD COLUMN document json NOT NULL GENERATED ALWAYS AS (
    task_document(
        id, owner_id, title, description, completed_at, list_id, parent_id, position, priority,
        label_ids, due, start, time_zone, due_at, created_at, updated_at, version
    )
) STORED,
ADD COLUMN facets jsonb NOT NULL GENERATED ALWAYS AS (
    task_facets(
        title_folded, completed_at, list_id, parent_id, priority, label_ids, due_at, due_begins_at,
        start_at, created_at, updated_at
    )
) STORED,
ADD CONSTRAINT tasks_list_fkey FOREIGN KEY (owner_id, list_id) REFERENCES lists (owner_id, id),
ADD CONSTRAINT tasks_parent_fkey FOREIGN KEY (owner_id, parent_id) REFERENCES tasks (owner_id, id),
ADD CONSTRAINT tasks_planned CHECK (
    is_planned(
        position, priority, label_ids, due, start, time_zone, due_at, due_begins_at, start_at,
        computed_zone, parent_id, root_id
    )
),
DROP CONSTRAINT tasks_last_action,
ADD CONSTRAINT tasks_last_action CHECK (
    last_action IN ('create', 'update', 'complete', 'reopen', 'move', 'delete', 'restore')
);

CREATE INDEX tasks_owner_position ON tasks (owner_id, position, id);
CREATE INDEX tasks_owner_due ON tasks (owner_id, due_at, id);
CREATE INDEX tasks_owner_priority ON tasks (owner_id, priority, id);
CREATE INDEX tasks_owner_root ON tasks (owner_id, root_id) WHERE root_id IS NOT NULL;
CREATE INDEX tasks_owner_list ON tasks (owner_id, list_id) WHERE list_id IS NOT NULL;
CREATE INDEX tasks_owner_parent ON tasks (owner_id, parent_id) WHERE parent_id IS NOT NULL;

COMMENT ON COLUMN tasks.list_id IS 'The task''s list; null is the inbox.';
COMMENT ON COLUMN tasks.root_id IS 'The task at the root of its tree of subtasks; null for a root. Derived.';
COMMENT ON COLUMN tasks.is_parent IS 'Whether it has, or once had, subtasks. Derived.';
COMMENT ON COLUMN tasks.label_ids IS 'Ids of labels, sorted, each once.';
COMMENT ON COLUMN tasks.time_zone IS 'The zone of due and start; null where they float: they mean the owner''s zone.';
COMMENT ON COLUMN tasks.due_at IS
'The instant from which the task is overdue: due itself, or the end of its day. Derived by the application.';
COMMENT ON COLUMN tasks.due_begins_at IS 'The instant of due, or the start of its day. Derived.';
COMMENT ON COLUMN tasks.start_at IS 'The instant of start, or the start of its day. Derived.';
COMMENT ON COLUMN tasks.computed_zone IS 'The zone that the derived instants were computed in.';
COMMENT ON COLUMN tasks.deleted_from IS
'In the trash: subtasks whose versions are from this one up to the task''s were deleted along with it.';
COMMENT ON COLUMN tasks.facets IS 'What filters compare, computed once per change.';

-- Every column but the derived ones: a change of these alone is no change of the task. As PostgreSQL
-- describes it, which flask ledger verify compares.
CREATE TRIGGER tasks_recorded AFTER INSERT OR UPDATE OF owner_id, id, title, description,
completed_at, created_at, updated_at, deleted_at, version, last_action, request_id, session_id,
title_folded, description_folded, list_id, parent_id, "position", priority, label_ids, due, start,
time_zone, deleted_from ON tasks
FOR EACH ROW EXECUTE FUNCTION record_change('task');

CREATE VIEW items WITH (security_invoker = TRUE) AS
SELECT
    owner_id, 'task' AS kind, id, version, last_action, updated_at, deleted_at, document, position,
    list_id, parent_id
FROM tasks
UNION ALL
SELECT
    owner_id, 'list' AS kind, id, version, last_action, updated_at, deleted_at, document, position,
    NULL AS list_id, NULL AS parent_id
FROM lists
UNION ALL
SELECT
    owner_id, 'label' AS kind, id, version, last_action, updated_at, deleted_at, document, position,
    NULL AS list_id, NULL AS parent_id
FROM labels
UNION ALL
SELECT
    owner_id, 'filter' AS kind, id, version, last_action, updated_at, deleted_at, document, position,
    NULL AS list_id, NULL AS parent_id
FROM filters;

COMMENT ON VIEW items IS
'The items of all kinds, with the columns that their ledger needs, and their place in an order.';

CREATE VIEW audit_rows_per_owner WITH (security_invoker = TRUE) AS
WITH owned AS (
    SELECT owner_id, kind || CASE WHEN deleted_at IS NULL THEN '' ELSE ' in trash' END AS what
    FROM items
    UNION ALL
    SELECT owner_id, 'ledger entry' AS what FROM ledger_entries
    UNION ALL
    SELECT owner_id, 'session' AS what FROM sessions
    UNION ALL
    SELECT owner_id, 'idempotency key' AS what FROM idempotency_keys
    UNION ALL
    SELECT owner_id, 'known address' AS what FROM known_addresses
)

SELECT
    users.id AS owner_id,
    users.email,
    owned.what,
    count(*) AS number
FROM users
INNER JOIN owned ON users.id = owned.owner_id
GROUP BY users.id, users.email, owned.what;

COMMENT ON VIEW audit_rows_per_owner IS 'Number of rows per owner and kind.';

COMMENT ON COLUMN ledger_entries.kind IS 'What the item is: task, list, label or filter.';

-- Row security and rights

CREATE POLICY owner ON lists USING (owner_id = current_owner());
CREATE POLICY owner ON labels USING (owner_id = current_owner());
CREATE POLICY owner ON filters USING (owner_id = current_owner());

ALTER TABLE lists FORCE ROW LEVEL SECURITY;
ALTER TABLE labels FORCE ROW LEVEL SECURITY;
ALTER TABLE filters FORCE ROW LEVEL SECURITY;

DO $$
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = 'public.tasks'::regclass) THEN
        ALTER TABLE lists ENABLE ROW LEVEL SECURITY;
        ALTER TABLE labels ENABLE ROW LEVEL SECURITY;
        ALTER TABLE filters ENABLE ROW LEVEL SECURITY;
    END IF;
    IF to_regrole('ownrow_auditor') IS NULL THEN
        RETURN;
    END IF;

    CREATE POLICY audit ON lists FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON labels FOR SELECT TO ownrow_auditor USING (TRUE);
    CREATE POLICY audit ON filters FOR SELECT TO ownrow_auditor USING (TRUE);

    GRANT INSERT (time_zone), UPDATE (time_zone, reminder_time) ON users TO ownrow_app;
    GRANT UPDATE (recompute_count) ON ledgers TO ownrow_app;
    GRANT UPDATE (
        list_id, parent_id, root_id, is_parent, "position", priority, label_ids, due, start, time_zone, due_at,
        due_begins_at, start_at, computed_zone, deleted_from
    ) ON tasks TO ownrow_app;
    GRANT SELECT, INSERT, UPDATE (
        title, title_folded, description, color, "position", archived_at,
        updated_at, deleted_at, version, last_action, request_id, session_id
    ) ON lists TO ownrow_app;
    GRANT SELECT, INSERT, UPDATE (
        name, name_key, color, "position", removed_from,
        updated_at, deleted_at, version, last_action, request_id, session_id
    ) ON labels TO ownrow_app;
    GRANT SELECT, INSERT, UPDATE (
        title, query, sort, "position",
        updated_at, deleted_at, version, last_action, request_id, session_id
    ) ON filters TO ownrow_app;
    GRANT SELECT ON items TO ownrow_app;
    GRANT SELECT ON lists, labels, filters, items, audit_rows_per_owner TO ownrow_auditor;
END
$$;

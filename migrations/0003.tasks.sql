-- Tasks, the first kind of item with a ledger, and a view of the items of all kinds.
-- depends: 0002.ledger

CREATE FUNCTION task_document(
    id uuid,
    owner_id uuid,
    title text,
    description text,
    completed_at timestamptz,
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
        'created_at', public.utc(created_at),
        'updated_at', public.utc(updated_at),
        'version', version
    );
END
$$;

COMMENT ON FUNCTION task_document(
    uuid, uuid, text, text, timestamptz, timestamptz, timestamptz, bigint
) IS
'A task as the API returns it.';

CREATE TABLE tasks (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    title text COLLATE "C" NOT NULL,
    description text,
    completed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    version bigint NOT NULL,
    last_action text NOT NULL,
    request_id text NOT NULL,
    session_id uuid,
    title_folded text COLLATE "C" NOT NULL,
    description_folded text COLLATE "C" NOT NULL,
    is_completed boolean NOT NULL GENERATED ALWAYS AS (completed_at IS NOT NULL) STORED,
    document json NOT NULL GENERATED ALWAYS AS (
        task_document(
            id, owner_id, title, description, completed_at, created_at, updated_at, version
        )
    ) STORED,
    CONSTRAINT tasks_pkey PRIMARY KEY (owner_id, id),
    CONSTRAINT tasks_owner_fkey FOREIGN KEY (owner_id) REFERENCES ledgers (
        owner_id
    ) ON DELETE CASCADE,
    CONSTRAINT tasks_title_length CHECK (char_length(title) BETWEEN 1 AND 255),
    CONSTRAINT tasks_title_trimmed CHECK (title = trimmed(title)),
    CONSTRAINT tasks_description_length CHECK (char_length(description) <= 5000),
    CONSTRAINT tasks_last_action CHECK (
        last_action IN ('create', 'update', 'complete', 'reopen', 'delete', 'restore')
    ),
    CONSTRAINT tasks_deleted_last CHECK ((last_action = 'delete') = (deleted_at IS NOT NULL))
);

-- Partial, so that without statistics the planner can't use them to look a task up by id; versions
-- begin at 1. A statement that reads in the order of versions repeats the condition version > 0.
CREATE UNIQUE INDEX tasks_owner_version ON tasks (owner_id, version) WHERE version > 0;
CREATE INDEX tasks_owner_trash ON tasks (owner_id, version)
WHERE version > 0 AND deleted_at IS NOT NULL;

COMMENT ON TABLE tasks IS 'Tasks, including those in the trash (deleted_at is not null).';
COMMENT ON COLUMN tasks.id IS 'UUIDv7 of created_at: ids sort in the order of creation.';
COMMENT ON COLUMN tasks.version IS 'ledgers.version at the last change; same order as updated_at.';
COMMENT ON COLUMN tasks.last_action IS 'What the last change did, for the ledger.';
COMMENT ON COLUMN tasks.request_id IS 'The request that made the last change.';
COMMENT ON COLUMN tasks.session_id IS
'The session that made the last change; null for the command line.';
COMMENT ON COLUMN tasks.title_folded IS
'The title, case-folded and in NFKC by the application, for search.';
COMMENT ON COLUMN tasks.description_folded IS 'The description, folded likewise; empty where description is null.';
COMMENT ON COLUMN tasks.document IS 'The task as the API returns it, computed once per change.';

CREATE TRIGGER tasks_recorded AFTER INSERT OR UPDATE ON tasks
FOR EACH ROW EXECUTE FUNCTION record_change('task');

-- security_invoker: the view runs with the privileges, and behind the policies, of the reading role.
CREATE VIEW items WITH (security_invoker = TRUE) AS
SELECT
    tasks.owner_id,
    'task' AS kind,
    tasks.id,
    tasks.version,
    tasks.last_action,
    tasks.updated_at,
    tasks.deleted_at,
    tasks.document
FROM tasks;

COMMENT ON VIEW items IS 'The items of all kinds, with the columns that their ledger needs.';

-- The tables of retention.py, and a function that fills both with the entries of some owners.
CREATE TABLE entries (LIKE ledger_entries INCLUDING ALL);
ALTER INDEX entries_owner_id_item_id_version_idx RENAME TO entries_item;

CREATE TABLE entries_by_month (
    LIKE ledger_entries INCLUDING DEFAULTS,
    PRIMARY KEY (owner_id, version, at)
) PARTITION BY RANGE (at);
CREATE INDEX ON entries_by_month (owner_id, item_id, version);

DO $$
BEGIN
    FOR month IN 1 .. 12 LOOP
        EXECUTE format(
            'CREATE TABLE entries_by_month_%s PARTITION OF entries_by_month FOR VALUES FROM (%L) TO (%L)',
            month,
            make_date(2026, 1, 1) + make_interval(months => month - 1),
            make_date(2026, 1, 1) + make_interval(months => month)
        );
    END LOOP;
END
$$;

CREATE FUNCTION owner_number(number integer) RETURNS uuid
LANGUAGE sql IMMUTABLE
RETURN ('10000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid;

CREATE FUNCTION item_number(owner integer, number integer) RETURNS uuid
LANGUAGE sql IMMUTABLE
RETURN ('0194' || lpad(number::text, 4, '0') || '-0000-7000-8000-' || lpad(owner::text, 12, '0'))::uuid;

-- Ten changes of each of an owner's items, all spread evenly over the year; in the order of time.
CREATE FUNCTION fill(first_owner integer, last_owner integer, per_owner integer) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO entries (owner_id, version, kind, item_id, action, at, request_id, session_id, item, hash)
    SELECT
        owner_number(owner), version, 'task', item_number(owner, version % (per_owner / 10) + 1), 'update',
        timestamptz '2026-01-01 00:00Z' + (version - 1) * interval '365 days' / per_owner,
        md5(version::text), owner_number(owner),
        json_build_object(
            'id', item_number(owner, version % (per_owner / 10) + 1), 'owner_id', owner_number(owner),
            'title', 'Buy milk on the way home, ' || version,
            'description', 'Two litres, and ask whether the bakery next door still has the dark bread left.',
            'is_completed', FALSE, 'completed_at', NULL, 'list_id', NULL, 'parent_id', NULL,
            'position', first_position(version), 'priority', 0, 'label_ids', ARRAY[]::uuid[], 'due', NULL,
            'start', NULL, 'time_zone', NULL, 'due_at', NULL, 'recurrence', NULL, 'recurrence_basis', 'due',
            'reminders', ARRAY[]::json[], 'created_at', utc(timestamptz '2026-01-01 00:00Z'),
            'updated_at', utc(timestamptz '2026-01-01 00:00Z'), 'version', version
        ),
        sha256(int8send(version))
    FROM generate_series(1, per_owner) AS version
    CROSS JOIN generate_series(first_owner, last_owner) AS owner;

    INSERT INTO entries_by_month
    SELECT * FROM entries
    WHERE owner_id BETWEEN owner_number(first_owner) AND owner_number(last_owner);
END
$$;

-- 100 users with 2,000 tasks each; the first has 10,000. Rows are inserted in the order of time,
-- which interleaves the users on disk as real use does. Each id is a UUIDv7 computed from the numbers
-- of user and task; load.py has the same formulas for pgbench.
INSERT INTO users (id, email, email_key)
SELECT
    ('1000000000004000' || (8000000000000000 + u))::uuid,
    'user' || u || '@example.com',
    'user' || u || '@example.com'
FROM generate_series(1, 100) AS u;

INSERT INTO ledgers (owner_id, version)
SELECT id, CASE email WHEN 'user1@example.com' THEN 10000 ELSE 2000 END FROM users;

INSERT INTO sessions (owner_id, id, token_hash)
SELECT id, id, sha256('') FROM users;

-- Without ledger entries, which no measured request reads.
ALTER TABLE tasks DISABLE TRIGGER tasks_recorded;

INSERT INTO tasks (
    owner_id, id, title, description, title_folded, description_folded, completed_at,
    position, created_at, updated_at, version, last_action, request_id
)
SELECT
    ('1000000000004000' || (8000000000000000 + u))::uuid,
    (clock || '7000' || (8000000000000000 + u))::uuid,
    'Task ' || n || ' of user ' || u,
    notes,
    'task ' || n || ' of user ' || u,
    lower(notes),
    CASE WHEN n % 3 = 0 THEN stamp END,
    first_position(n),
    stamp,
    stamp,
    n,
    'create',
    'seed'
FROM generate_series(1, 100) AS u
CROSS JOIN LATERAL generate_series(1, CASE u WHEN 1 THEN 10000 ELSE 2000 END) AS n
CROSS JOIN LATERAL (
    SELECT
        '0194' || (10000 + n) || '000',
        rpad('Notes on task ' || n || ': ', 80, 'buy milk, call the bank, water the plants; ')
) AS t (clock, notes)
CROSS JOIN LATERAL (
    SELECT to_timestamp(('x' || clock)::bit(48)::bigint / 1000.0)
) AS made (stamp)
ORDER BY n, u;

ALTER TABLE tasks ENABLE TRIGGER tasks_recorded;

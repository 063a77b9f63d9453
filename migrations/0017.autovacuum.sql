-- When autovacuum visits the tables that grow large or change all the time.
--
-- By default it waits until a fifth of a table is dead, or a fifth new: of 100,000,000 entries, twenty
-- million. These are visited at a twentieth or a fiftieth, in smaller steps of the same total work.
-- depends: 0016.event-streams

-- Only grows, and is pruned once a month: new rows are to be frozen, and the space of pruned ones
-- reused, long before a fifth of it has changed.
ALTER TABLE ledger_entries SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.02
);

-- Each change of an item writes its row again, and an entry in most of its indexes.
ALTER TABLE tasks SET (autovacuum_vacuum_scale_factor = 0.05);

-- Each change of any item updates its owner's row.
ALTER TABLE ledgers SET (autovacuum_vacuum_scale_factor = 0.05);

-- Each key is deleted a day after it was stored.
ALTER TABLE idempotency_keys SET (autovacuum_vacuum_scale_factor = 0.05);

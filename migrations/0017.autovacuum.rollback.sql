ALTER TABLE idempotency_keys RESET (autovacuum_vacuum_scale_factor);
ALTER TABLE ledgers RESET (autovacuum_vacuum_scale_factor);
ALTER TABLE tasks RESET (autovacuum_vacuum_scale_factor);
ALTER TABLE ledger_entries RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor
);

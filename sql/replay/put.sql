-- A job that follows from what was read again: new, or in the place of one that is parked.
-- The parameters are those of job/insert.sql.
INSERT INTO job (kind, lane, key, record_key, payload, summary, state, not_before, delivery_id, created_at, error)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (kind, key) DO UPDATE SET record_key = excluded.record_key, payload = excluded.payload,
    summary = excluded.summary, state = excluded.state, not_before = excluded.not_before, attempts = 0, error = excluded.error
WHERE state = 'parked'

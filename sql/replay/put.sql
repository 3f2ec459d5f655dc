-- A job that follows from what was read again: new, or in the place of one that is parked.
-- ?1 kind, ?2 lane, ?3 key, ?4 record_key, ?5 payload, ?6 summary, ?7 state, ?8 delivery_id, ?9 now, ?10 error
INSERT INTO job (kind, lane, key, record_key, payload, summary, state, not_before, delivery_id, created_at, error)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10)
ON CONFLICT (kind, key) DO UPDATE SET record_key = excluded.record_key, payload = excluded.payload,
    summary = excluded.summary, state = excluded.state, not_before = 0, attempts = 0, error = excluded.error
WHERE state = 'parked'

-- ?1 kind, ?2 lane, ?3 key, ?4 record_key, ?5 payload, ?6 summary, ?7 state, ?8 not_before, ?9 delivery_id, ?10 now,
-- ?11 error
INSERT INTO job (kind, lane, key, record_key, payload, summary, state, not_before, delivery_id, created_at, error)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (kind, key) DO NOTHING

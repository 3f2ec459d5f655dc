-- ?1 model, ?2 reference, ?3 record_id, ?4 written
INSERT INTO binding (model, reference, record_id, written) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (model, reference) DO UPDATE SET record_id = excluded.record_id, written = excluded.written

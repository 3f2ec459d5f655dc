-- ?1 source, ?2 lead_id, ?3 form_id, ?4 created_at
INSERT INTO listed (source, lead_id, form_id, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING

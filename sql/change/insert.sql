-- ?1 id, ?2 event, ?3 model, ?4 record_id, ?5 body, ?6 received_at
INSERT INTO change (id, event, model, record_id, body, received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (id) DO NOTHING

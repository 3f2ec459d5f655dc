-- ?1 source, ?2 key, ?3 received_at, ?4 content_type, ?5 body, ?6 state, ?7 reply_status, ?8 reply_body, ?9 awaits_intake
INSERT INTO delivery (source, key, received_at, content_type, body, state, reply_status, reply_body, awaits_intake)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (source, key) DO NOTHING

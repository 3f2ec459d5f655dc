-- The first delivery says what the lead was like when it came in.
-- ?1 record_id, ?2 at, ?3 score, ?4 traits
INSERT OR IGNORE INTO sample (record_id, at, score, traits) VALUES (?1, ?2, ?3, ?4)

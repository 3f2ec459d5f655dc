-- ?1 source, ?2 id, ?3 body, ?4 now
INSERT INTO form (source, id, body, fetched_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (source, id) DO UPDATE SET body = excluded.body, fetched_at = excluded.fetched_at

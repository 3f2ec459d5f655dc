-- ?1 model, ?2 id, ?3 data, ?4 hash, ?5 write_date, ?6 seq, ?7 deleted, ?8 updated_at
INSERT INTO mirror (model, id, data, hash, write_date, seq, deleted, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (model, id) DO UPDATE SET
    data = excluded.data, hash = excluded.hash, write_date = excluded.write_date, seq = excluded.seq,
    deleted = excluded.deleted, updated_at = excluded.updated_at

-- ?1 model, ?2 id
SELECT deleted, updated_at, seq, write_date, hash FROM mirror WHERE model = ?1 AND id = ?2

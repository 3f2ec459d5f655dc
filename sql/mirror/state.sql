-- ?1 model, ?2 id
SELECT hash, deleted, updated_at, seq FROM mirror WHERE model = ?1 AND id = ?2

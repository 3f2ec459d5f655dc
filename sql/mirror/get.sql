-- ?1 model, ?2 id
SELECT id, data, deleted, updated_at FROM mirror WHERE model = ?1 AND id = ?2

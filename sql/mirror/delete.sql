-- ?1 model, ?2 id, ?3 now
UPDATE mirror SET deleted = 1, updated_at = ?3 WHERE model = ?1 AND id = ?2

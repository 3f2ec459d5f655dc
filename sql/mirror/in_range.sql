-- What should be on a page. ?1 model, ?2 first id, ?3 last id, ?4 requested_at, ?5 the latest time that can be true
SELECT id FROM mirror WHERE model = ?1 AND id BETWEEN ?2 AND ?3 AND deleted = 0 AND (updated_at < ?4 OR updated_at > ?5)

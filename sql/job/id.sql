-- ?1 kind, ?2 key
SELECT id FROM job WHERE kind = ?1 AND key = ?2

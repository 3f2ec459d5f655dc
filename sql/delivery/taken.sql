-- ?1 id
UPDATE delivery SET awaits_intake = 0 WHERE id = ?1

-- ?1 source, ?2 id, ?3 fetched after
SELECT body FROM form WHERE source = ?1 AND id = ?2 AND fetched_at > ?3

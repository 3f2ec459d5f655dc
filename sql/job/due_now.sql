-- What waited for a platform that answers again. Keys begin with the source's id. ?1 source, ?2 now
UPDATE job SET not_before = 0
WHERE kind IN ('fetch', 'media') AND state = 'ready' AND not_before > ?2 AND attempts = 0
  AND substr(key, 1, length(?1) + 1) = ?1 || ':'

-- ?1 id, ?2 now
UPDATE job SET state = 'ready', not_before = ?2, attempts = 0
WHERE id = ?1 AND state IN ('parked', 'ready')

-- ?1 id, ?2 now
UPDATE job SET state = 'discarded', finished_at = ?2 WHERE id = ?1 AND state IN ('parked', 'ready')

-- A lead that came another way need not be fetched any more. ?1 key, ?2 now
UPDATE job SET state = 'done', error = NULL, finished_at = ?2
WHERE kind = 'fetch' AND key = ?1 AND state IN ('ready', 'parked')

-- ?1 kind
SELECT min(not_before) FROM job WHERE kind = ?1 AND state = 'ready'

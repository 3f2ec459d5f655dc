-- ?1 kind
SELECT min(created_at) FROM job WHERE kind = ?1 AND state = 'ready'

-- The oldest that wait for an intake job. ?1 limit
SELECT id, source, received_at FROM delivery WHERE awaits_intake = 1 ORDER BY id LIMIT ?1

-- The first of each lane is its oldest. ?1 kind
SELECT min(created_at) FROM (
    SELECT * FROM (SELECT created_at FROM job WHERE kind = ?1 AND state = 'ready' AND lane = 0 ORDER BY id LIMIT 1)
    UNION ALL
    SELECT * FROM (SELECT created_at FROM job WHERE kind = ?1 AND state = 'ready' AND lane = 1 ORDER BY id LIMIT 1)
    UNION ALL
    SELECT * FROM (SELECT received_at FROM delivery WHERE ?1 = 'intake' AND awaits_intake = 1 ORDER BY id LIMIT 1))

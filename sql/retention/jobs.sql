-- ?1 finished before, ?2 limit
DELETE FROM job WHERE id IN (
    SELECT id FROM job WHERE state IN ('done', 'discarded') AND finished_at < ?1 LIMIT ?2)

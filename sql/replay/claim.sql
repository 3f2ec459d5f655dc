-- A delivery that was read again needs no intake any more, unless a worker has it. ?1 delivery, ?2 now, ?3 lane
INSERT INTO job (kind, lane, key, payload, summary, state, not_before, delivery_id, created_at, finished_at)
SELECT 'intake', ?3, CAST(id AS TEXT), '', 'delivery ' || id || ' of ' || source, 'done', 0, id, ?2, ?2
FROM delivery WHERE id = ?1 AND awaits_intake = 0
ON CONFLICT (kind, key) DO UPDATE SET lane = ?3, state = 'done', error = NULL, finished_at = ?2
WHERE state IN ('parked', 'done')

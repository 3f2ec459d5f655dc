-- Newest first, by the index of what is parked. ?1 kind or NULL, ?2 limit
SELECT id, kind, lane, key, record_key, summary, state, not_before, attempts, error, result, delivery_id, created_at
FROM job
WHERE state = 'parked' AND (?1 IS NULL OR kind = ?1)
ORDER BY id DESC
LIMIT ?2

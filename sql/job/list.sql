-- Newest first. ?1 state or NULL, ?2 kind or NULL, ?3 limit
SELECT id, kind, lane, key, record_key, summary, state, not_before, attempts, error, result, delivery_id, created_at
FROM job
WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR kind = ?2)
ORDER BY id DESC
LIMIT ?3

-- ?1 id
SELECT id, kind, lane, key, record_key, summary, state, not_before, attempts, error, result, delivery_id, created_at,
       payload
FROM job WHERE id = ?1

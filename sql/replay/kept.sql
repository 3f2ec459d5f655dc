-- Kept deliveries that intake has looked at and whose bodies are still there, oldest first.
-- ?1 source or NULL, ?2 received from, ?3 received before, ?4 also those that were understood, ?5 after id, ?6 limit
SELECT delivery.id, delivery.source, delivery.key, delivery.received_at, delivery.content_type, delivery.body,
       job.state, job.lane
FROM delivery LEFT JOIN job ON job.kind = 'intake' AND job.key = CAST(delivery.id AS TEXT)
WHERE delivery.id > ?5 AND delivery.body IS NOT NULL AND delivery.awaits_intake = 0
  AND (?1 IS NULL OR delivery.source = ?1) AND delivery.received_at >= ?2 AND delivery.received_at < ?3
  AND (job.state = 'parked' OR ?4 AND (job.state IS NULL OR job.state = 'done'))
ORDER BY delivery.id
LIMIT ?6

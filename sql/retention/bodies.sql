-- A delivery keeps its body as long as a job needs it. ?1 received before, ?2 limit
UPDATE delivery SET body = NULL WHERE id IN (
    SELECT id FROM delivery
    WHERE body IS NOT NULL AND awaits_intake = 0 AND received_at < ?1
      AND NOT EXISTS (SELECT 1 FROM job WHERE job.delivery_id = delivery.id)
    LIMIT ?2)

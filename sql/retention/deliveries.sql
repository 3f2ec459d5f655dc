-- From now on a replay would count as new. ?1 received before, ?2 limit
DELETE FROM delivery WHERE id IN (
    SELECT id FROM delivery
    WHERE received_at < ?1 AND body IS NULL
      AND NOT EXISTS (SELECT 1 FROM job WHERE job.delivery_id = delivery.id)
    LIMIT ?2)

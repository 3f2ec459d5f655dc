-- A person's decision is about one attempt: said again, or after another one, it does nothing.
-- ?1 kind, ?2 key, ?3 attempts in all, ?4 new state, ?5 payload or NULL, ?6 now
UPDATE job
SET state = ?4, payload = coalesce(?5, payload), attempts = 0, not_before = ?6,
    finished_at = CASE WHEN ?4 = 'discarded' THEN ?6 END
WHERE kind = ?1 AND key = ?2 AND state = 'parked'
  AND (SELECT coalesce(max(n), 0) FROM attempt WHERE job_id = job.id) = ?3

-- Live before backfill, oldest first, at most the first open job of each record.
-- One that has failed often goes alone, in case it is what takes the others with it.
-- A time that is farther away than any wait was set while the clock was ahead.
-- ?1 kind, ?2 now, ?3 limit, ?4 token, ?5 lease_until, ?6 the end of the longest wait, ?7 attempts that are suspicious, ?8 how the
-- reason begins for which a person had to look at it
WITH due AS (
    SELECT id, lane, attempts >= ?7 AS suspicious
    FROM job AS candidate
    WHERE kind = ?1 AND state = 'ready' AND (not_before <= ?2 OR not_before > ?6)
      AND NOT EXISTS (
          SELECT 1 FROM job AS earlier
          WHERE earlier.record_key = candidate.record_key AND earlier.id < candidate.id
            AND earlier.state IN ('ready', 'leased', 'parked'))
    ORDER BY lane, id
    LIMIT ?3),
first AS (SELECT id, suspicious FROM due ORDER BY lane, id LIMIT 1)
UPDATE job SET state = 'leased', lease_token = ?4, lease_until = ?5
WHERE id IN (
    SELECT due.id FROM due, first
    WHERE due.id = first.id OR NOT due.suspicious AND NOT first.suspicious)
RETURNING id, lane, key, record_key, payload, attempts, delivery_id, created_at,
    EXISTS (SELECT 1 FROM attempt WHERE attempt.job_id = job.id AND attempt.error LIKE ?8 || '%') AS reviewed

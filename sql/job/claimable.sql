-- How many live jobs could be claimed now, counted up to a limit. As in claim.sql.
-- ?1 kind, ?2 now, ?3 the end of the longest wait, ?4 limit
SELECT count(*) FROM (
    SELECT 1
    FROM job AS candidate
    WHERE kind = ?1 AND lane = 0 AND state = 'ready' AND (not_before <= ?2 OR not_before > ?3)
      AND NOT EXISTS (
          SELECT 1 FROM job AS earlier
          WHERE earlier.record_key = candidate.record_key AND earlier.id < candidate.id
            AND earlier.state IN ('ready', 'leased', 'parked'))
    LIMIT ?4)

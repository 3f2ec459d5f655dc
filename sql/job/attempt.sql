-- A person who retries a parked job starts its count again, so numbers go on from the last row.
-- ?1 job_id, ?2 started_at, ?3 duration_ms, ?4 outcome, ?5 error
INSERT INTO attempt (job_id, n, started_at, duration_ms, outcome, error)
SELECT ?1, coalesce(max(n), 0) + 1, ?2, ?3, ?4, ?5 FROM attempt WHERE job_id = ?1

-- ?1 job_id
SELECT n, started_at, duration_ms, outcome, error FROM attempt WHERE job_id = ?1 ORDER BY n

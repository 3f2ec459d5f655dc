-- What is parked, the oldest first, and how often each was tried in all. ?1 limit
SELECT kind, key, (SELECT coalesce(max(n), 0) FROM attempt WHERE job_id = job.id)
FROM job
WHERE state = 'parked'
ORDER BY id
LIMIT ?1

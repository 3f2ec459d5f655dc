-- Only the worker that holds the lease may say how it ended.
-- ?1 id, ?2 token, ?3 state, ?4 not_before, ?5 attempts burnt, ?6 error, ?7 result, ?8 finished_at
UPDATE job
SET state = ?3, not_before = coalesce(?4, not_before), attempts = attempts + ?5, error = ?6, result = ?7,
    finished_at = ?8, lease_token = NULL, lease_until = NULL
WHERE id = ?1 AND state = 'leased' AND lease_token = ?2

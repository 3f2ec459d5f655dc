-- The records that operations have reached.
SELECT DISTINCT record_key FROM job WHERE kind = 'push' AND state = 'done' AND record_key IS NOT NULL

-- What became of a job with this key. ?1 kind, ?2 key
SELECT state, payload, attempts FROM job WHERE kind = ?1 AND key = ?2

-- ?1 kind, ?2 state
SELECT count FROM tally WHERE kind = ?1 AND state = ?2

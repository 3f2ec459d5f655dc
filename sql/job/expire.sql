-- Gives back what a dead worker held, also if it took it while the clock was ahead.
-- ?1 kind, ?2 now, ?3 the end of the longest lease
UPDATE job SET state = 'ready', lease_token = NULL, lease_until = NULL
WHERE kind = ?1 AND state = 'leased' AND (lease_until < ?2 OR lease_until > ?3)

-- Gives back what a dead worker held. ?1 kind, ?2 now
UPDATE job SET state = 'ready', lease_token = NULL, lease_until = NULL
WHERE kind = ?1 AND state = 'leased' AND lease_until < ?2

-- At start: whoever held these is dead, since the store's lock is ours. Perhaps by one of them, so it counts.
-- ?1 most attempts
UPDATE job SET
    state = CASE WHEN attempts + 1 >= ?1 THEN 'parked' ELSE 'ready' END,
    attempts = attempts + 1,
    error = 'the daemon ended while this was under way',
    lease_token = NULL, lease_until = NULL
WHERE state = 'leased'

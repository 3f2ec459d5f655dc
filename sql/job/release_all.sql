-- At start: whoever held these is dead, since the store's lock is ours.
UPDATE job SET state = 'ready', lease_token = NULL, lease_until = NULL WHERE state = 'leased'

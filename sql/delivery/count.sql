-- ?1 state
UPDATE tally SET count = count + 1 WHERE kind = 'delivery' AND state = ?1

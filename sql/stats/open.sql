-- What is still to be done, of all kinds. An IN would make a table of its own each time.
SELECT coalesce(sum(count), 0) FROM tally WHERE +state = 'ready' OR +state = 'leased' OR +state = 'awaiting'

-- What is still to be done, of all kinds
SELECT coalesce(sum(count), 0) FROM tally WHERE state IN ('ready', 'leased', 'awaiting')

-- Jobs of all kinds that are still to be done
SELECT coalesce(sum(count), 0) FROM tally WHERE state IN ('ready', 'leased')

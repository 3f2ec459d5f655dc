-- ?1 received before, ?2 limit
DELETE FROM change WHERE rowid IN (SELECT rowid FROM change WHERE received_at < ?1 LIMIT ?2)

-- ?1 older than this, ?2 how many at most
DELETE FROM sample WHERE record_id IN (SELECT record_id FROM sample WHERE at < ?1 LIMIT ?2)

-- ?1 model
SELECT count(*) FROM mirror WHERE model = ?1 AND deleted = 0

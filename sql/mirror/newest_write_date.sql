-- ?1 model
SELECT max(write_date) FROM mirror WHERE model = ?1

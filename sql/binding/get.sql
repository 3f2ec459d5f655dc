-- ?1 model, ?2 reference
SELECT record_id, written FROM binding WHERE model = ?1 AND reference = ?2

-- ?1 model, ?2 id
SELECT name FROM name WHERE model = ?1 AND id = ?2

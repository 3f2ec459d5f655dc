-- 0 if one is due at once. ?1 kind
SELECT CASE
    WHEN EXISTS (SELECT 1 FROM job WHERE kind = ?1 AND state = 'ready' AND not_before = 0) THEN 0
    WHEN ?1 = 'intake' AND EXISTS (SELECT 1 FROM delivery WHERE awaits_intake = 1) THEN 0
    ELSE (SELECT min(not_before) FROM job WHERE kind = ?1 AND state = 'ready' AND not_before > 0)
END

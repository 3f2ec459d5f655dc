-- When each source delivered last, as far as the newest ones tell. ?1 how many of these
SELECT source, max(received_at)
FROM (SELECT source, received_at FROM delivery ORDER BY id DESC LIMIT ?1)
GROUP BY source

-- ?1 source, ?2 key
SELECT id, reply_status, reply_body FROM delivery WHERE source = ?1 AND key = ?2

-- ?1 id
SELECT id, source, key, received_at, content_type, body FROM delivery WHERE id = ?1

-- ?1 created before, ?2 limit
DELETE FROM listed WHERE (source, lead_id) IN (
    SELECT source, lead_id FROM listed WHERE created_at < ?1 LIMIT ?2)

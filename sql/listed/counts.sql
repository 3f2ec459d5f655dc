-- Per form and day (UTC): what the platform listed, how much of it Odoo has acknowledged, and what became of the rest.
-- ?1 created after
WITH lead AS (
    SELECT listed.source, listed.form_id, date(listed.created_at / 1000, 'unixepoch') AS day,
           coalesce(
               (SELECT state FROM job
                WHERE kind = 'push' AND key = listed.source || ':lead:' || listed.lead_id || ':0'),
               (SELECT CASE awaits_intake WHEN 1 THEN 'ready' ELSE
                           (SELECT nullif(state, 'done') FROM job
                            WHERE kind = 'intake' AND key = CAST(delivery.id AS TEXT)) END
                FROM delivery
                WHERE delivery.source = listed.source AND delivery.key = 'lead:' || listed.lead_id)) AS state
    FROM listed INDEXED BY listed_created
    WHERE listed.created_at > ?1)
SELECT lead.source, lead.form_id, json_extract(form.body, '$.name'), lead.day, count(*),
       count(*) FILTER (WHERE state = 'done'),
       count(*) FILTER (WHERE state IN ('ready', 'leased')),
       count(*) FILTER (WHERE state = 'parked'),
       count(*) FILTER (WHERE state = 'discarded')
FROM lead LEFT JOIN form ON form.source = lead.source AND form.id = lead.form_id
GROUP BY 1, 2, 4
ORDER BY 1, 2, 4

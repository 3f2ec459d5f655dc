-- Per form and day (UTC): what the platform listed, and how much of it Odoo has acknowledged. ?1 created after
SELECT listed.source, listed.form_id, json_extract(form.body, '$.name'), date(listed.created_at / 1000, 'unixepoch'),
       count(*),
       sum(EXISTS (SELECT 1 FROM job
                   WHERE job.kind = 'push' AND job.key = listed.source || ':lead:' || listed.lead_id || ':0'
                     AND job.state = 'done'))
FROM listed INDEXED BY listed_created
LEFT JOIN form ON form.source = listed.source AND form.id = listed.form_id
WHERE listed.created_at > ?1
GROUP BY 1, 2, 4
ORDER BY 1, 2, 4

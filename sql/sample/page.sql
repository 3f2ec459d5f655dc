-- Leads of the mirror that are won or lost, the newest first, with what they were like if they came in here.
-- ?1 ids below this one, ?2 how many to look at
SELECT m.id, json_extract(m.data, '$.create_date'),
       coalesce(json_extract(m.data, '$.won_status'),
                CASE WHEN json_extract(m.data, '$.probability') >= 100 THEN 'won'
                     WHEN json_extract(m.data, '$.active') = 0 AND json_extract(m.data, '$.probability') <= 0 THEN 'lost'
                END),
       s.at, s.score, s.traits,
       (SELECT name FROM name WHERE model = 'utm.source' AND id = json_extract(m.data, '$.source_id')),
       (SELECT name FROM name WHERE model = 'utm.medium' AND id = json_extract(m.data, '$.medium_id')),
       (SELECT name FROM name WHERE model = 'utm.campaign' AND id = json_extract(m.data, '$.campaign_id'))
FROM mirror AS m LEFT JOIN sample AS s ON s.record_id = m.id
WHERE m.model = 'crm.lead' AND m.id < ?1 AND m.deleted = 0
ORDER BY m.id DESC LIMIT ?2

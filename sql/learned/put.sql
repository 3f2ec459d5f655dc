-- ?1 report, ?2 model
INSERT INTO learned (id, report, model) VALUES (1, ?1, ?2)
ON CONFLICT (id) DO UPDATE SET report = excluded.report, model = excluded.model

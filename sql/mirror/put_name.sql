-- ?1 model, ?2 id, ?3 name
INSERT INTO name (model, id, name) VALUES (?1, ?2, ?3)
ON CONFLICT (model, id) DO UPDATE SET name = excluded.name WHERE name <> excluded.name

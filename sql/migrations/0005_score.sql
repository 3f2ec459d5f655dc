-- What each lead was like when it came in, and what the weights made of it: to be learned from once it is won or lost.
CREATE TABLE sample (
    record_id INTEGER PRIMARY KEY, -- crm.lead
    at        INTEGER NOT NULL,    -- ms
    score     INTEGER NOT NULL,
    traits    TEXT    NOT NULL     -- JSON, a list of texts
) STRICT;
CREATE INDEX sample_at ON sample (at);

-- The last training: its report, and the model.
CREATE TABLE learned (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    report TEXT NOT NULL, -- JSON
    model  TEXT           -- JSON
) STRICT;

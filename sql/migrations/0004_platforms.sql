-- What a platform says about a form, so that answers are shown with the form's own words.
CREATE TABLE form (
    source     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    body       TEXT    NOT NULL, -- JSON
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) STRICT;

-- Every lead that a platform listed, to be compared with what Odoo has.
CREATE TABLE listed (
    source     TEXT    NOT NULL,
    lead_id    TEXT    NOT NULL,
    form_id    TEXT    NOT NULL,
    created_at INTEGER NOT NULL, -- by the platform's clock
    PRIMARY KEY (source, lead_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX listed_created ON listed (created_at);

INSERT OR IGNORE INTO tally (kind, state, count)
SELECT 'fetch', state.column1, 0 FROM (VALUES ('ready'), ('leased'), ('done'), ('parked'), ('discarded')) AS state;

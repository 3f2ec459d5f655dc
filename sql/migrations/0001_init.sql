-- Times are milliseconds since 1970 (UTC) unless a column says otherwise.

-- The inbox: every authentic delivery, once.
CREATE TABLE delivery (
    id           INTEGER PRIMARY KEY,
    source       TEXT    NOT NULL,
    key          TEXT    NOT NULL,
    received_at  INTEGER NOT NULL,
    content_type TEXT,
    body         BLOB,             -- NULL once retention has taken it; the key stays to recognise a replay
    state        TEXT    NOT NULL CHECK (state IN ('accepted', 'rejected')),
    reply_status INTEGER NOT NULL,
    reply_body   TEXT    NOT NULL, -- a replay is answered as the first was
    UNIQUE (source, key)
) STRICT;
CREATE INDEX delivery_received ON delivery (received_at);
CREATE INDEX delivery_with_body ON delivery (received_at) WHERE body IS NOT NULL;

-- The outbox and every other work to do.
CREATE TABLE job (
    id          INTEGER PRIMARY KEY,
    kind        TEXT    NOT NULL,
    lane        INTEGER NOT NULL CHECK (lane IN (0, 1)), -- 0 live, 1 backfill
    key         TEXT    NOT NULL,
    record_key  TEXT,                                    -- jobs of one record run one after the other
    payload     TEXT    NOT NULL,
    summary     TEXT    NOT NULL,                        -- for lists; no personal data
    state       TEXT    NOT NULL CHECK (state IN ('ready', 'leased', 'done', 'parked', 'discarded')),
    not_before  INTEGER NOT NULL,
    lease_token INTEGER,
    lease_until INTEGER,
    attempts    INTEGER NOT NULL DEFAULT 0,
    error       TEXT,
    result      TEXT,
    delivery_id INTEGER REFERENCES delivery (id),
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    UNIQUE (kind, key)
) STRICT;
CREATE INDEX job_ready ON job (kind, lane, id) WHERE state = 'ready';
CREATE INDEX job_due ON job (kind, not_before) WHERE state = 'ready';
CREATE INDEX job_waiting ON job (kind, created_at) WHERE state = 'ready';
CREATE INDEX job_leased ON job (kind, lease_until) WHERE state = 'leased';
CREATE INDEX job_parked ON job (id) WHERE state = 'parked';
CREATE INDEX job_record ON job (record_key, id) WHERE record_key IS NOT NULL AND state IN ('ready', 'leased', 'parked');
CREATE INDEX job_finished ON job (finished_at) WHERE state IN ('done', 'discarded');
CREATE INDEX job_delivery ON job (delivery_id);

CREATE TABLE attempt (
    job_id      INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    n           INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('done', 'retry', 'parked')),
    error       TEXT,
    PRIMARY KEY (job_id, n)
) STRICT, WITHOUT ROWID;

-- Which record of Odoo belongs to which reference, and what the daemon wrote to it last. Written
-- without the addon; an addon that is installed later takes them over.
CREATE TABLE binding (
    model     TEXT    NOT NULL,
    reference TEXT    NOT NULL,
    record_id INTEGER NOT NULL,
    written   TEXT    NOT NULL, -- JSON object
    PRIMARY KEY (model, reference)
) STRICT, WITHOUT ROWID;

-- The last known state of each record of Odoo.
CREATE TABLE mirror (
    model      TEXT    NOT NULL,
    id         INTEGER NOT NULL,
    data       TEXT    NOT NULL, -- JSON object in the normal form of docs/BRIDGE.md
    hash       BLOB    NOT NULL,
    write_date TEXT,             -- Odoo's, `YYYY-MM-DD HH:MM:SS` UTC
    seq        INTEGER NOT NULL, -- of the last event applied; 0 if none was
    deleted    INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (model, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX mirror_write_date ON mirror (model, write_date);
CREATE INDEX mirror_email ON mirror (model, lower(json_extract(data, '$.email_from')));

-- Display names of the records that the mirror points to.
CREATE TABLE name (
    model TEXT    NOT NULL,
    id    INTEGER NOT NULL,
    name  TEXT    NOT NULL,
    PRIMARY KEY (model, id)
) STRICT, WITHOUT ROWID;

-- Changes as Odoo told them; the id makes each count once.
CREATE TABLE change (
    id          TEXT    NOT NULL PRIMARY KEY,
    event       TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    record_id   INTEGER NOT NULL,
    body        TEXT    NOT NULL, -- JSON
    received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX change_received ON change (received_at);

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Row counts kept by triggers, so that telling them costs the same at ten rows and at ten million.
CREATE TABLE tally (
    kind  TEXT    NOT NULL,
    state TEXT    NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (kind, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER job_added AFTER INSERT ON job BEGIN
    INSERT INTO tally VALUES (new.kind, new.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER job_moved AFTER UPDATE OF state ON job WHEN old.state <> new.state BEGIN
    UPDATE tally SET count = count - 1 WHERE kind = old.kind AND state = old.state;
    INSERT INTO tally VALUES (new.kind, new.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER job_removed AFTER DELETE ON job BEGIN
    UPDATE tally SET count = count - 1 WHERE kind = old.kind AND state = old.state;
END;
CREATE TRIGGER delivery_added AFTER INSERT ON delivery BEGIN
    INSERT INTO tally VALUES ('delivery', '', 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER delivery_removed AFTER DELETE ON delivery BEGIN
    UPDATE tally SET count = count - 1 WHERE kind = 'delivery' AND state = '';
END;
CREATE TRIGGER mirror_added AFTER INSERT ON mirror WHEN new.deleted = 0 BEGIN
    INSERT INTO tally VALUES ('mirror', new.model, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER mirror_moved AFTER UPDATE OF deleted ON mirror WHEN old.deleted <> new.deleted BEGIN
    INSERT INTO tally VALUES ('mirror', new.model, old.deleted - new.deleted)
    ON CONFLICT DO UPDATE SET count = count + excluded.count;
END;
CREATE TRIGGER change_added AFTER INSERT ON change BEGIN
    INSERT INTO tally VALUES ('change', '', 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER change_removed AFTER DELETE ON change BEGIN
    UPDATE tally SET count = count - 1 WHERE kind = 'change' AND state = '';
END;

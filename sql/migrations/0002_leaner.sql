-- Records are longer than what a WITHOUT ROWID table keeps in its tree: each took an overflow page of its own.
CREATE TABLE mirror_by_rowid (
    model      TEXT    NOT NULL,
    id         INTEGER NOT NULL,
    data       TEXT    NOT NULL, -- JSON object in the normal form of docs/BRIDGE.md
    hash       BLOB    NOT NULL,
    write_date TEXT,             -- Odoo's, `YYYY-MM-DD HH:MM:SS` UTC
    seq        INTEGER NOT NULL, -- of the last event applied; 0 if none was
    deleted    INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    updated_at INTEGER NOT NULL,
    UNIQUE (model, id)
) STRICT;
INSERT INTO mirror_by_rowid SELECT * FROM mirror;
DROP TABLE mirror;
ALTER TABLE mirror_by_rowid RENAME TO mirror;

CREATE INDEX mirror_write_date ON mirror (model, write_date);
CREATE INDEX mirror_email ON mirror (model, lower(json_extract(data, '$.email_from')));

CREATE TRIGGER mirror_added AFTER INSERT ON mirror WHEN new.deleted = 0 BEGIN
    INSERT INTO tally VALUES ('mirror', new.model, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER mirror_moved AFTER UPDATE OF deleted ON mirror WHEN old.deleted <> new.deleted BEGIN
    INSERT INTO tally VALUES ('mirror', new.model, old.deleted - new.deleted)
    ON CONFLICT DO UPDATE SET count = count + excluded.count;
END;

-- Every webhook pays for each index. A delivery is looked for by its time either with or without its body.
DROP INDEX delivery_received;
CREATE INDEX delivery_without_body ON delivery (received_at) WHERE body IS NULL;

-- New jobs are due at once (0): only those that wait for their
-- time need to be found by it. The oldest job has the lowest id.
DROP INDEX job_due;
DROP INDEX job_waiting;
UPDATE job SET not_before = 0 WHERE state <> 'ready' OR not_before <= created_at;
CREATE INDEX job_due ON job (kind, not_before) WHERE state = 'ready' AND not_before > 0;

-- The rows that every webhook counts in are there from the start, so that counting is one update.
INSERT OR IGNORE INTO tally (kind, state, count)
SELECT kind.column1, state.column1, 0
FROM (VALUES ('intake'), ('push')) AS kind, (VALUES ('ready'), ('leased'), ('done'), ('parked'), ('discarded')) AS state
UNION ALL VALUES ('delivery', '', 0);

DROP TRIGGER job_added;
DROP TRIGGER job_moved;
DROP TRIGGER delivery_added;
CREATE TRIGGER job_added AFTER INSERT ON job BEGIN
    UPDATE tally SET count = count + 1 WHERE kind = new.kind AND state = new.state;
END;
CREATE TRIGGER job_moved AFTER UPDATE OF state ON job WHEN old.state <> new.state BEGIN
    UPDATE tally SET count = count - 1 WHERE kind = old.kind AND state = old.state;
    UPDATE tally SET count = count + 1 WHERE kind = new.kind AND state = new.state;
END;
CREATE TRIGGER delivery_added AFTER INSERT ON delivery BEGIN
    UPDATE tally SET count = count + 1 WHERE kind = 'delivery' AND state = '';
END;

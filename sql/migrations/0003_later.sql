-- A live delivery waits here for its intake job, which is made when intake gets to it: what a sender waits for is one row.
ALTER TABLE delivery ADD COLUMN awaits_intake INTEGER NOT NULL DEFAULT 0 CHECK (awaits_intake IN (0, 1));
CREATE INDEX delivery_awaiting ON delivery (id) WHERE awaits_intake = 1;

-- Whoever adds a delivery counts it: a trigger makes every insert keep an undo log of its own.
INSERT OR IGNORE INTO tally (kind, state, count) VALUES ('delivery', 'awaiting', 0);
DROP TRIGGER delivery_added;
CREATE TRIGGER delivery_taken AFTER UPDATE OF awaits_intake ON delivery WHEN old.awaits_intake > new.awaits_intake BEGIN
    UPDATE tally SET count = count - 1 WHERE kind = 'delivery' AND state = 'awaiting';
    UPDATE tally SET count = count + 1 WHERE kind = 'delivery' AND state = '';
END;

-- What waits for intake keeps its body; the index need not have it yet.
DROP INDEX delivery_with_body;
CREATE INDEX delivery_with_body ON delivery (received_at) WHERE body IS NOT NULL AND awaits_intake = 0;

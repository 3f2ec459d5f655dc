-- Jobs that fetch pictures and files of messages are counted like all others.
INSERT OR IGNORE INTO tally (kind, state, count)
SELECT 'media', state.column1, 0 FROM (VALUES ('ready'), ('leased'), ('done'), ('parked'), ('discarded')) AS state;

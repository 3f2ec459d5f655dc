"""The triggers that notice changes, as SQL.

PostgreSQL itself writes down, in the transaction that makes a change and without a
round trip, what a record was before it. Rollbacks and savepoints take these rows along;
SQL that bypasses the ORM and stored computed fields leave them too. `net_change` reads
them backwards.

One row per record and statement, by one statement for all records of it: a trigger per
row would cost a save of a thousand records ten times as much. And statements that are
planned in no time: Odoo discards all plans between two requests, so what a trigger costs
a user is mostly its planning. Hence no comparison here, no normal form, and no question
whether changes are recorded: there are triggers only while they are.
"""

import hashlib
from collections import namedtuple

# What a row says. `old` holds, as JSON:
CREATED = "I"  # nothing
UPDATED = "U"  # its columns as they were
LINES = "L"  # the field of an order's lines -> all of them as they were, in the bridge's form
DELETED = "D"  # the whole record as it was, in the bridge's form
LINKED = "A"  # many2many field -> ids that were added
UNLINKED = "R"  # many2many field -> ids that were removed
NOTED = "N"  # what Python knows: see `_note`

# Without an index: it is written by every save, and empty soon after.
TABLE = """
CREATE TABLE IF NOT EXISTS g_assistant_change (
    id bigint GENERATED ALWAYS AS IDENTITY,
    txid bigint NOT NULL DEFAULT txid_current(),
    at timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
    model varchar NOT NULL,
    res_id int NOT NULL,
    action "char" NOT NULL,
    -- Who did it; of an updated or deleted record, who had written it before.
    user_id int,
    old json
)
"""

INSERT = "INSERT INTO g_assistant_change (model, res_id, action, user_id, old)"

OLD = "OLD TABLE AS old_rows"
NEW = "NEW TABLE AS new_rows"

Trigger = namedtuple("Trigger", "table event referencing body")


def triggers(model_name, table, shape):
    """The triggers of one model, whose records look like ``shape`` (`g_assistant.mirror`)."""
    yield from _of_records(model_name, table, shape)
    for link in shape.links:
        yield from _of_links(model_name, link)
    if shape.lines:
        yield from _of_lines(model_name, shape.lines)


def _of_records(model_name, table, shape):
    yield Trigger(
        table,
        "INSERT",
        NEW,
        f"{INSERT} SELECT '{model_name}', id, '{CREATED}', create_uid, NULL FROM new_rows",
    )
    columns = ", ".join(f'"{name}"' for name in (*shape.stored, "write_uid"))
    yield Trigger(
        table,
        "UPDATE",
        OLD,
        f"{INSERT} SELECT '{model_name}', o.id, '{UPDATED}', o.write_uid, to_json(o)"
        f" FROM (SELECT {columns} FROM old_rows) o",
    )
    # Before, as its links and lines go with it.
    yield Trigger(
        table,
        "DELETE",
        None,
        f"{INSERT} SELECT '{model_name}', t.id, '{DELETED}', t.write_uid, {shape.record.code}"
        f" FROM {table} t WHERE t.id = OLD.id",
    )


def _row(alias, names):
    return "(" + ", ".join(f'{alias}."{name}"' for name in names) + ")"


def _of_links(model_name, link):
    for event, referencing, rows, action in (
        ("INSERT", NEW, "new_rows", LINKED),
        ("DELETE", OLD, "old_rows", UNLINKED),
    ):
        yield Trigger(
            link.table,
            event,
            referencing,
            f"{INSERT} SELECT '{model_name}', \"{link.column}\", '{action}', NULL,"
            f" json_build_object('{link.field}', json_agg(\"{link.other}\"))"
            f' FROM {rows} GROUP BY "{link.column}"',
        )


def _of_lines(model_name, lines):
    """A change of a line is one of its order: what all its lines were before."""
    untouched = "l.id NOT IN (SELECT id FROM new_rows)"
    former = "UNION ALL SELECT o.* FROM old_rows o WHERE o.order_id = x.order_id"
    changed = f"{_row('o', lines.stored)} IS DISTINCT FROM {_row('n', lines.stored)}"
    touched = (
        "SELECT COALESCE(n.order_id, o.order_id) AS order_id, n.write_uid"
        f" FROM old_rows o FULL JOIN new_rows n ON n.id = o.id WHERE {changed}"
    )
    moved = (
        " UNION ALL SELECT o.order_id, o.write_uid FROM old_rows o JOIN new_rows n"
        " ON n.id = o.id AND n.order_id IS DISTINCT FROM o.order_id"
    )
    for event, referencing, orders, parts in (
        ("INSERT", NEW, "SELECT order_id, write_uid FROM new_rows", f"AND {untouched}"),
        ("UPDATE", f"{OLD} {NEW}", touched + moved, f"AND {untouched} {former}"),
        ("DELETE", OLD, "SELECT order_id, NULL::int AS write_uid FROM old_rows", former),
    ):
        yield Trigger(
            lines.table,
            event,
            referencing,
            f"{INSERT} SELECT '{model_name}', x.order_id, '{LINES}', x.user_id,"
            f" json_build_object('{lines.field}', (SELECT {lines.record.code} FROM ("
            f"SELECT l.* FROM {lines.table} l WHERE l.order_id = x.order_id {parts}) l))"
            f" FROM (SELECT order_id, max(write_uid) AS user_id FROM ({orders}) o"
            " GROUP BY order_id) x",
        )


def name(trigger):
    return f"g_assistant_{trigger.table}_{trigger.event.lower()}"


def definition(trigger):
    """The statements that make a trigger, whether it is there or not."""
    timing = "AFTER" if trigger.referencing else "BEFORE"
    rows = f"REFERENCING {trigger.referencing} FOR EACH STATEMENT" if trigger.referencing else ""
    return (
        f"CREATE OR REPLACE FUNCTION {name(trigger)}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $capture$ BEGIN {trigger.body}; RETURN OLD; END $capture$;"
        f' DROP TRIGGER IF EXISTS {name(trigger)} ON "{trigger.table}";'
        f" CREATE TRIGGER {name(trigger)} {timing} {trigger.event}"
        f' ON "{trigger.table}" {rows or "FOR EACH ROW"}'
        f" EXECUTE FUNCTION {name(trigger)}()"
    )


def fingerprint(definitions):
    return hashlib.sha256(";".join(definitions).encode()).hexdigest()

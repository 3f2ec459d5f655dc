"""What each transaction did to a record: the triggers' rows, read backwards.

A row holds what its statement changed, as it was before (`capture`). So from what a
record is now, the last row leads to what it was before that statement, and so on to
the state at each commit in between. Pure.
"""

from . import capture, kinds


class Row:
    __slots__ = ("id", "txid", "at", "action", "user_id", "old")

    def __init__(self, values):
        self.id, self.txid, self.at, self.action, self.user_id, self.old = values


class Net:
    """One transaction's effect on one record."""

    def __init__(self, rows, after):
        # In the order in which records were first touched.
        self.position = rows[0].id
        self.at = rows[-1].at
        self.created = any(row.action == capture.CREATED for row in rows)
        notes = {}
        for row in rows:
            if row.action == capture.NOTED:
                notes.update(row.old)
        self.operation = notes.get("operation")
        self.merged_into = notes.get("merged_into")
        # How it came about, where that is not plain from who did it.
        self.origin = "daemon" if self.operation else notes.get("origin")
        users = [row.user_id for row in rows if row.user_id]
        self.user_id = users[0] if users else None
        self.after = self.before = after
        self.deleted = None
        for row in reversed(rows):
            if row.action == capture.DELETED:
                self.deleted = row.old
            self.before = _before(row, self.before)

    @property
    def record(self):
        """The record that the event shows: at commit, or what it was when it was deleted."""
        return self.after or self.deleted

    def event(self, model_name, watched, won_stages):
        """The kind of event and its ``changes``; no kind if nothing is left of it."""
        noun = kinds.NOUNS[model_name]
        if self.after is None:
            if self.created or self.deleted is None:
                return None, {}
            if self.merged_into:
                return "lead.merged", {"merged_into": {"old": None, "new": self.merged_into}}
            return noun + ".deleted", {}
        if self.created or self.before is None:
            return noun + ".created", {}
        changes = {
            name: {"old": self.before.get(name), "new": value}
            for name, value in self.after.items()
            if name in watched and self.before.get(name) != value
        }
        if not changes:
            return None, {}
        return kinds.changed_kind(model_name, self.before, self.after, won_stages), changes


def of_record(record, writer, rows):
    """The transactions behind ``rows`` (ascending), oldest first; ``record`` is what they
    led to, or ``None`` if it is gone, and ``writer`` who wrote it last."""
    rows = [Row(values) for values in rows]
    _name_writers(writer, rows)
    transactions = {}
    for row in rows:
        transactions.setdefault(row.txid, []).append(row)
    nets = []
    for rows in reversed(transactions.values()):
        net = Net(rows, record)
        nets.append(net)
        record = net.before
    return nets[::-1]


def _name_writers(writer, rows):
    """An update knows only who had written the record before; who did it, the next one
    knows. Who deletes a record does not write it."""
    for row in reversed(rows):
        if row.action == capture.UPDATED:
            row.user_id, writer = writer, row.user_id
        elif row.action == capture.DELETED:
            row.user_id, writer = None, row.user_id


def _before(row, record):
    if row.action == capture.CREATED:
        return None
    if row.action == capture.DELETED:
        return row.old
    if record is None or row.action == capture.NOTED:
        return record
    if row.action in (capture.UPDATED, capture.LINES):
        return {**record, **row.old}
    before = dict(record)
    for name, ids in row.old.items():
        held = set(before.get(name) or ())
        before[name] = sorted(held - set(ids) if row.action == capture.LINKED else held | set(ids))
    return before

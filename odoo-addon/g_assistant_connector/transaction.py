"""What the current transaction did to which records.

It lives in ``cr.postcommit.data``: that is cleared by commit and by rollback,
but, unlike ``cr.precommit.data``, survives the savepoints in between.
"""

import uuid

KEY = "g_assistant_connector"


class Change:
    """What one transaction did to one record."""

    __slots__ = (
        "before",
        "created",
        "deleted",
        "merged_into",
        "operation",
        "user_id",
        "uuid",
        "stored",
    )

    def __init__(self, user_id, before=None):
        # The watched values before the transaction; None for a new record.
        self.before = before
        self.created = before is None
        # Watched values and the whole record as JSON text, taken when it was deleted.
        self.deleted = None
        self.merged_into = None
        # The daemon's idempotency key, if it was its operation.
        self.operation = None
        self.user_id = user_id
        self.uuid = str(uuid.uuid4())
        # Whether an event row may exist already: a savepoint's flush stores one.
        self.stored = False


def of_model(cr, model_name):
    """``{id: Change}`` of the current transaction."""
    return cr.postcommit.data.setdefault(KEY, {}).setdefault(model_name, {})

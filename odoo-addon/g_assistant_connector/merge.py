"""The three-way merge of one field: pure, so that the table can be tested.

``ours`` is what our binding wrote last, ``now`` what Odoo holds, ``new`` what
comes in. All three are in the bridge's JSON form.
"""

import math

UNKNOWN = object()

NOTHING = "nothing"
WRITE = "write"
KEEP = "keep"


def is_empty(value):
    """No value, or a number that Odoo cannot tell from no value."""
    return value is None or value == "" or value == [] or (_is_number(value) and value == 0)


def same(left, right):
    """Whether two values say the same.

    A line of an order is compared on the keys that the incoming one (``right``)
    has: an absent price is not an opinion about the price.
    """
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return all(same(left.get(key), value) for key, value in right.items())
    if _is_number(left) and _is_number(right):
        # What a float column gives back may differ in the last bit.
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)
    return left == right or (left in (None, "") and right in (None, ""))


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def decide(ours, now, new, owned=False):
    """What to do with one field: ``NOTHING``, ``WRITE`` or ``KEEP`` theirs."""
    if same(now, new):
        return NOTHING
    if owned:
        return WRITE
    if ours is not UNKNOWN and same(ours, new):
        return NOTHING
    if is_empty(now) or (ours is not UNKNOWN and same(ours, now)):
        return WRITE
    return KEEP

"""Between the bridge's JSON values and the ORM's, one field at a time.

A value is first *parsed*: checked against the type of its field, references
resolved. The parsed form is the one that is compared and stored (`merge`), and
`held` gives what a record holds in the same form.
"""

from datetime import datetime

LINE_FIELDS = ("product_id", "name", "product_uom_qty", "price_unit", "discount")
LINES = ("sale.order", "order_line")

PROTECTED = {"id", "create_date", "create_uid", "write_date", "write_uid", "display_name"}

TEXTS = ("char", "text", "html", "selection")
FORMATS = {"date": "%Y-%m-%d", "datetime": "%Y-%m-%d %H:%M:%S"}


class Unfit(ValueError):
    """A value that its field cannot take. In English: it is for who sent it."""


def parse(model, name, value, resolve):
    """``value`` in comparable form; ``resolve(model_name, link)`` gives the id of an
    existing record for an id or ``{"ref": …}``."""
    field = model._fields.get(name)
    if field is None or name in PROTECTED:
        raise Unfit(f"{model._name} has no field {name!r} to write")
    if (model._name, name) == LINES:
        return _parse_lines(model.env["sale.order.line"], value, resolve)
    try:
        parsed = _parse(field, value, resolve)
    except Unfit as error:
        raise Unfit(f"field {name!r}: {error}") from error
    if parsed is NotImplemented:
        raise Unfit(f"field {name!r} ({field.type}) cannot take the value {value!r}")
    return parsed


def _parse(field, value, resolve):
    kind = field.type
    if kind == "boolean":
        return bool(value) if value is None or isinstance(value, bool) else NotImplemented
    if kind == "many2many":
        if not _is_ids(value):
            return NotImplemented
        return sorted({resolve(field.comodel_name, link) for link in value or ()})
    if value is None:
        return None
    if kind in TEXTS:
        return value if isinstance(value, str) else NotImplemented
    if kind == "integer":
        return value if _is_int(value) else NotImplemented
    if kind in ("float", "monetary"):
        return float(value) if _is_int(value) or isinstance(value, float) else NotImplemented
    if kind in FORMATS:
        return value if _is_time(value, FORMATS[kind]) else NotImplemented
    if kind == "many2one":
        is_link = _is_int(value) or is_reference(value)
        return resolve(field.comodel_name, value) if is_link else NotImplemented
    return NotImplemented


def _parse_lines(line_model, lines, resolve):
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise Unfit("'order_line' must be a list of lines")
    for line in lines:
        for name in line:
            if name not in LINE_FIELDS:
                raise Unfit(f"an order line has no {name!r}")
    return [
        {name: parse(line_model, name, value, resolve) for name, value in line.items()}
        for line in lines
    ]


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31


def _is_ids(value):
    return value is None or (isinstance(value, list) and all(map(_is_int, value)))


def _is_time(value, form):
    try:
        # A date without leading zeros would be taken, but never be equal again.
        return datetime.strptime(value, form).strftime(form) == value
    except (TypeError, ValueError):
        return False


def is_time(value):
    """Whether this is a datetime as the bridge writes it."""
    return _is_time(value, FORMATS["datetime"])


def is_reference(value):
    return isinstance(value, dict) and isinstance(value.get("ref"), str)


def references(values):
    """The ``(field, ref)`` that these values refer to."""
    for name, value in values.items():
        if is_reference(value):
            yield name, value["ref"]
        elif isinstance(value, list):
            for line in value:
                if isinstance(line, dict):
                    yield from references(line)


def to_orm(model, name, parsed):
    """A parsed value as ``create`` and ``write`` take it."""
    if (model._name, name) == LINES:
        return [(5, 0, 0)] + [(0, 0, line) for line in parsed]
    if model._fields[name].type == "many2many":
        return [(6, 0, parsed)]
    return False if parsed is None else parsed


def held(record, name):
    """What the record holds, in parsed form."""
    value = record[name]
    if (record._name, name) == LINES:
        return [{part: held(line, part) for part in LINE_FIELDS} for line in value]
    kind = record._fields[name].type
    if kind == "many2one":
        return value.id or None
    if kind == "many2many":
        return sorted(value.ids)
    if kind in FORMATS:
        return value.strftime(FORMATS[kind]) if value else None
    if kind in TEXTS:
        return str(value) if value else None
    return value

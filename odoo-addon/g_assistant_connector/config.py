"""The connector's settings: system parameters, read in one place."""

PREFIX = "g_assistant_connector."
ENABLED = PREFIX + "enabled"
URL = PREFIX + "url"
MUTED = PREFIX + "muted"
RETENTION_DAYS = PREFIX + "retention_days"
OVERLAP_HOURS = PREFIX + "overlap_hours"

ALL = (ENABLED, URL, MUTED, RETENTION_DAYS, OVERLAP_HOURS)

DEFAULT_RETENTION_DAYS = 90
DEFAULT_OVERLAP_HOURS = 24


def _get(env, key):
    # Cached by Odoo: costs no query in a user's transaction.
    return env["ir.config_parameter"].sudo().get_param(key)


def enabled(env):
    return _get(env, ENABLED) == "True"


def url(env):
    return _get(env, URL) or ""


def muted(env):
    """The kinds of events that are not captured."""
    return set((_get(env, MUTED) or "").split(","))


def retention_days(env):
    return int(_get(env, RETENTION_DAYS) or DEFAULT_RETENTION_DAYS)


def overlap_hours(env):
    return int(_get(env, OVERLAP_HOURS) or DEFAULT_OVERLAP_HOURS)

"""The connector's settings: system parameters, read in one place."""

PREFIX = "g_assistant_connector."
ENABLED = PREFIX + "enabled"
URL = PREFIX + "url"
MUTED = PREFIX + "muted"
RETENTION_DAYS = PREFIX + "retention_days"
HISTORY_DAYS = PREFIX + "history_days"
OVERLAP_HOURS = PREFIX + "overlap_hours"
SILENT_MINUTES = PREFIX + "silent_minutes"
ALERT_WAYS = PREFIX + "alert_ways"
ALERT_USERS = PREFIX + "alert_users"

ALL = (
    ENABLED,
    URL,
    MUTED,
    RETENTION_DAYS,
    HISTORY_DAYS,
    OVERLAP_HOURS,
    SILENT_MINUTES,
    ALERT_WAYS,
    ALERT_USERS,
)

DEFAULT_RETENTION_DAYS = 90
DEFAULT_HISTORY_DAYS = 730
DEFAULT_OVERLAP_HOURS = 24
# The daemon reports every minute.
DEFAULT_SILENT_MINUTES = 5
WAYS = ("screen", "activity", "mail")
DEFAULT_WAYS = "screen,activity"


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


def history_days(env):
    return int(_get(env, HISTORY_DAYS) or DEFAULT_HISTORY_DAYS)


def overlap_hours(env):
    return int(_get(env, OVERLAP_HOURS) or DEFAULT_OVERLAP_HOURS)


def silent_minutes(env):
    """After so long without a report the daemon counts as silent."""
    return int(_get(env, SILENT_MINUTES) or DEFAULT_SILENT_MINUTES)


def alert_ways(env):
    """How people are told of problems. No way at all is stored as "none"."""
    return set((_get(env, ALERT_WAYS) or DEFAULT_WAYS).split(","))


def alert_user_ids(env):
    """Who is told; empty: every administrator of the connector."""
    return [int(one) for one in (_get(env, ALERT_USERS) or "").split(",") if one]

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
RESPONSE_GOOD = PREFIX + "response_good"
RESPONSE_LATE = PREFIX + "response_late"
HOT_SCORE = PREFIX + "hot_score"
HOT_REVENUE = PREFIX + "hot_revenue"

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
    RESPONSE_GOOD,
    RESPONSE_LATE,
    HOT_SCORE,
    HOT_REVENUE,
)

DEFAULT_RETENTION_DAYS = 90
DEFAULT_HISTORY_DAYS = 730
DEFAULT_OVERLAP_HOURS = 24
# The daemon reports every minute.
DEFAULT_SILENT_MINUTES = 5
# Minutes until a new lead should have heard of a person, and until it is too late.
DEFAULT_RESPONSE_GOOD = 5
DEFAULT_RESPONSE_LATE = 60
# A lead of this score is told to its salesperson at once; no value alone makes one so.
DEFAULT_HOT_SCORE = 70
WAYS = ("screen", "activity", "mail")
DEFAULT_WAYS = "screen,activity"


def _get(env, key):
    # Cached by Odoo: costs no query in a user's transaction.
    return env["ir.config_parameter"].sudo().get_param(key)


def enabled(env):
    return _get(env, ENABLED) == "True"


def sends(env):
    """Whether changes are recorded and sent. Asked in users' saves, so in one go."""
    params = env["ir.config_parameter"].sudo()
    return params.get_param(ENABLED) == "True" and bool(params.get_param(URL))


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


def response_minutes(env):
    """Until when an answer is in time, and until when it is late."""
    return (
        int(_get(env, RESPONSE_GOOD) or DEFAULT_RESPONSE_GOOD),
        int(_get(env, RESPONSE_LATE) or DEFAULT_RESPONSE_LATE),
    )


def hot_score(env):
    return int(_get(env, HOT_SCORE) or DEFAULT_HOT_SCORE)


def hot_revenue(env):
    """0: whatever a lead is worth, that alone does not make it hot."""
    return float(_get(env, HOT_REVENUE) or 0)

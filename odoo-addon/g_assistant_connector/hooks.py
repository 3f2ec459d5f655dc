"""What cannot be a data file because it differs between series."""

from . import config

CRON = "g_assistant_connector.ir_cron_send"


def post_init_hook(env):
    env["ir.config_parameter"].set_param(config.ENABLED, "True")
    _create_cron(env)


def uninstall_hook(env):
    """Leave nothing behind."""
    env["g_assistant.capture"]._uninstall()
    env["g_assistant.duplicates"]._uninstall()
    env["g_assistant.owner"]._uninstall()
    env["ir.config_parameter"].search([("key", "in", config.ALL)]).unlink()
    cron = env.ref(CRON, raise_if_not_found=False)
    if cron:
        cron.unlink()


def _create_cron(env):
    """The sender's safety net. Not a data file: up to 17 `numbercall` must be -1."""
    cron_model = env["ir.cron"]
    values = {
        "name": "G-Assistant: send waiting events",
        "model_id": env["ir.model"]._get_id("g_assistant.event"),
        "state": "code",
        "code": "model._cron_send()",
        "interval_number": 1,
        "interval_type": "minutes",
        "user_id": env.ref("base.user_root").id,
    }
    if "numbercall" in cron_model._fields:
        values["numbercall"] = -1
    cron = cron_model.create(values)
    env["ir.model.data"]._update_xmlids(
        [{"xml_id": CRON, "record": cron, "noupdate": True}],
    )

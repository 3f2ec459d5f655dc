import importlib.util
from datetime import timezone
from email.utils import parsedate_to_datetime

import requests

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from .. import config, kinds, sender

TEST_TIMEOUT_SECONDS = 5
CLOCK_SKEW_SECONDS = 60
IAP_SETTING = "crm.iap.lead.enrich.setting"


def _field_of(kind):
    """`lead.won` is set by the field `g_assistant_lead_won`."""
    return "g_assistant_" + kind.replace(".", "_")


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    g_assistant_enabled = fields.Boolean(string="Record Changes", config_parameter=config.ENABLED)
    g_assistant_url = fields.Char(string="Daemon URL", config_parameter=config.URL)
    g_assistant_retention_days = fields.Integer(
        string="Keep History (Days)",
        config_parameter=config.RETENTION_DAYS,
        default=config.DEFAULT_RETENTION_DAYS,
    )
    g_assistant_overlap_hours = fields.Integer(
        string="Secret Overlap (Hours)",
        config_parameter=config.OVERLAP_HOURS,
        default=config.DEFAULT_OVERLAP_HOURS,
    )

    g_assistant_silent_minutes = fields.Integer(
        string="Silent After (Minutes)",
        config_parameter=config.SILENT_MINUTES,
        default=config.DEFAULT_SILENT_MINUTES,
    )
    g_assistant_alert_screen = fields.Boolean(string="On their screen")
    g_assistant_alert_activity = fields.Boolean(string="By an activity")
    g_assistant_alert_mail = fields.Boolean(string="By e-mail")
    g_assistant_alert_user_ids = fields.Many2many(
        "res.users", string="Who Is Told", domain=[("share", "=", False)]
    )

    g_assistant_response_good = fields.Integer(
        string="In Time Within (Minutes)",
        config_parameter=config.RESPONSE_GOOD,
        default=config.DEFAULT_RESPONSE_GOOD,
    )
    g_assistant_response_late = fields.Integer(
        string="Too Late After (Minutes)",
        config_parameter=config.RESPONSE_LATE,
        default=config.DEFAULT_RESPONSE_LATE,
    )
    g_assistant_hot_score = fields.Integer(
        string="Score of at Least",
        config_parameter=config.HOT_SCORE,
        default=config.DEFAULT_HOT_SCORE,
    )
    g_assistant_hot_revenue = fields.Float(
        string="Expected Revenue of at Least", config_parameter=config.HOT_REVENUE
    )

    g_assistant_lead_created = fields.Boolean(string="Lead created")
    g_assistant_lead_updated = fields.Boolean(string="Lead updated")
    g_assistant_lead_won = fields.Boolean(string="Lead won")
    g_assistant_lead_lost = fields.Boolean(string="Lead lost")
    g_assistant_lead_restored = fields.Boolean(string="Lead restored")
    g_assistant_lead_merged = fields.Boolean(string="Lead merged")
    g_assistant_lead_deleted = fields.Boolean(string="Lead deleted")
    g_assistant_order_created = fields.Boolean(string="Quotation created")
    g_assistant_order_updated = fields.Boolean(string="Order updated")
    g_assistant_order_sent = fields.Boolean(string="Quotation sent")
    g_assistant_order_confirmed = fields.Boolean(string="Order confirmed")
    g_assistant_order_cancelled = fields.Boolean(string="Order cancelled")
    g_assistant_order_deleted = fields.Boolean(string="Order deleted")

    g_assistant_secret_ids = fields.Many2many(
        "g_assistant.secret", string="Valid Secrets", compute="_compute_g_assistant_status"
    )
    g_assistant_connection_ids = fields.Many2many(
        "g_assistant.connection", string="Daemons", compute="_compute_g_assistant_status"
    )
    g_assistant_source_ids = fields.Many2many(
        "g_assistant.connection.source", string="Sources", compute="_compute_g_assistant_status"
    )
    g_assistant_pending = fields.Integer(
        string="Events Waiting", compute="_compute_g_assistant_status"
    )
    g_assistant_iap_warning = fields.Boolean(
        string="Enrichment Sends E-mail Addresses Out", compute="_compute_g_assistant_status"
    )
    g_assistant_phone_warning = fields.Boolean(
        string="Package “phonenumbers” Missing", compute="_compute_g_assistant_status"
    )

    @api.depends("g_assistant_enabled")
    def _compute_g_assistant_status(self):
        secrets = self.env["g_assistant.secret"]
        valid = secrets.search(secrets._valid_domain())
        connections = self.env["g_assistant.connection"]._all()
        pending = self.env["g_assistant.event"]._count_pending()
        enrichment = "iap_enrich_done" in self.env["crm.lead"]._fields
        setting = self.env["ir.config_parameter"].sudo().get_param(IAP_SETTING, "auto")
        for settings in self:
            settings.g_assistant_secret_ids = valid
            settings.g_assistant_connection_ids = connections
            settings.g_assistant_source_ids = connections.source_ids
            settings.g_assistant_pending = pending
            settings.g_assistant_iap_warning = enrichment and setting == "auto"
            settings.g_assistant_phone_warning = not importlib.util.find_spec("phonenumbers")

    @api.model
    def get_values(self):
        muted = config.muted(self.env)
        ways = config.alert_ways(self.env)
        users = self.env["res.users"].browse(config.alert_user_ids(self.env)).exists()
        return {
            **super().get_values(),
            **{f"g_assistant_alert_{way}": way in ways for way in config.WAYS},
            "g_assistant_alert_user_ids": users.ids,
            **{_field_of(kind): kind not in muted for kind in kinds.LABELS},
        }

    def set_values(self):
        result = super().set_values()
        muted = [kind for kind in kinds.LABELS if not self[_field_of(kind)]]
        ways = [way for way in config.WAYS if self[f"g_assistant_alert_{way}"]] or ["none"]
        users = map(str, self.g_assistant_alert_user_ids.ids)
        params = self.env["ir.config_parameter"].sudo()
        params.set_param(config.MUTED, ",".join(muted))
        params.set_param(config.ALERT_WAYS, ",".join(ways))
        params.set_param(config.ALERT_USERS, ",".join(users))
        # What failed with the old settings is tried again with the new ones at once.
        events = self.env["g_assistant.event"].sudo()
        events.search([("retry_at", "!=", False)]).retry_at = False
        sender.wake_after_commit(self.env)
        return result

    def action_g_assistant_generate_secret(self):
        secrets = self.env["g_assistant.secret"]
        previous = secrets.search([("expires_at", "=", False)], limit=1)
        value = secrets.generate()
        return {
            "type": "ir.actions.act_window",
            "name": _("New Signing Secret"),
            "res_model": "g_assistant.secret.new",
            "view_mode": "form",
            "target": "new",
            "context": {"default_value": value, "default_expires_at": previous.expires_at},
        }

    def action_g_assistant_events(self):
        return self.env["ir.actions.act_window"]._for_xml_id(
            "g_assistant_connector.g_assistant_event_action"
        )

    def action_g_assistant_test(self):
        """Send an empty signed batch and say in plain words what came of it."""
        success, message = self._g_assistant_try_connection()
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "title": _("Connection to the daemon"),
                "message": message,
                "type": "success" if success else "danger",
                "sticky": not success,
            },
        }

    @api.model
    def _g_assistant_try_connection(self):
        if not self.env.user.has_group("base.group_system"):
            raise UserError(_("Only a system administrator may test the connection."))
        if not config.url(self.env):
            return False, _("Enter the daemon's URL and save first.")
        secrets = self.env["g_assistant.secret"]._valid_values()
        if not secrets:
            return False, _("Generate a signing secret first.")
        try:
            response = self.env["g_assistant.event"].sudo()._post(secrets, TEST_TIMEOUT_SECONDS)
        except requests.exceptions.SSLError:
            return False, _("The daemon's certificate is not trusted by this server.")
        except requests.Timeout:
            return False, _("No answer within %d seconds.", TEST_TIMEOUT_SECONDS)
        except requests.ConnectionError:
            return False, _("Nothing listens there: is the daemon running, and is the URL right?")
        except requests.RequestException as error:
            return False, _("The URL cannot be used: %s", type(error).__name__)
        return self._g_assistant_explain(response)

    @api.model
    def _g_assistant_explain(self, response):
        status = response.status_code
        if 200 <= status < 300:
            skew = self._g_assistant_clock_skew(response)
            if skew is not None and abs(skew) > CLOCK_SKEW_SECONDS:
                return False, _(
                    "Reached and signature accepted, but the clocks differ by %d seconds:"
                    " beyond 5 minutes signatures are refused.",
                    abs(skew),
                )
            return True, _(
                "Reached, signature accepted. The clocks differ by %d seconds.", abs(skew or 0)
            )
        if status == 401:
            return False, _(
                "Reached, but the signature was not accepted (%s). Does the daemon have the"
                " current secret, and are both clocks right?",
                self._g_assistant_error_code(response) or status,
            )
        if status == 404:
            return False, _("Something answers there, but not at this path (404). Check the URL.")
        if 300 <= status < 400:
            return False, _("The address redirects (%d). Enter the final URL.", status)
        return False, _(
            "Reached, but the daemon answered %(status)d (%(code)s).",
            status=status,
            code=self._g_assistant_error_code(response) or response.reason,
        )

    @api.model
    def _g_assistant_error_code(self, response):
        """The daemon's own word for what is wrong, if the answer has one."""
        try:
            error = response.json().get("error")
        except (ValueError, AttributeError):
            return None
        return error.get("code") if isinstance(error, dict) else error

    @api.model
    def _g_assistant_clock_skew(self, response):
        """The daemon's clock minus ours, in seconds; ``None`` if it does not tell."""
        try:
            theirs = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, TypeError, ValueError):
            return None
        if theirs.tzinfo:
            theirs = theirs.astimezone(timezone.utc).replace(tzinfo=None)
        return round((theirs - fields.Datetime.now()).total_seconds())

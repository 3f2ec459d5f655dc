from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import AccessError

from .. import config, signing


class Secret(models.Model):
    _name = "g_assistant.secret"
    _description = "G-Assistant signing secret"
    _order = "id desc"

    # Readable by sudo code only, whatever the rights: it is shown once, when made.
    value = fields.Char(required=True, copy=False, groups=fields.NO_ACCESS)
    expires_at = fields.Datetime(
        readonly=True,
        help="Until then events are signed with this secret too. Empty: the current one.",
    )

    @api.model
    def generate(self):
        """Make a new current secret and return it, this one time.

        The previous one stays valid for the overlap, so that the daemon can be
        given the new one without losing an event.
        """
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(_("Only a system administrator may make a signing secret."))
        secrets = self.sudo()
        overlap = timedelta(hours=config.overlap_hours(self.env))
        secrets.search([("expires_at", "=", False)]).expires_at = fields.Datetime.now() + overlap
        value = signing.new_secret()
        secrets.create({"value": value})
        return value

    @api.model
    def _valid_values(self):
        """The secrets to sign with, the newest first."""
        return self.sudo().search_fetch(self._valid_domain(), ["value"]).mapped("value")

    @api.model
    def _valid_domain(self):
        return ["|", ("expires_at", "=", False), ("expires_at", ">", fields.Datetime.now())]

    @api.autovacuum
    def _gc_expired(self):
        self.sudo().search([("expires_at", "<=", fields.Datetime.now())]).unlink()

"""Where a lead came from, as people read it."""

import json
import re
from datetime import datetime, timezone

from markupsafe import Markup, escape

from odoo import api, fields, models

PATH = ("platform", "campaign", "adset", "ad", "form")
# Each step in its own direction, and all of them in the reader's.
ISOLATED = "\u2068%s\u2069"
# Click ids that say when the click was: Meta's in milliseconds, Google's cookie in seconds.
CLICKED = re.compile(r"\bfb\.\d+\.(\d{13})\.|\bGCL\.(\d{10})\.")


class CrmLead(models.Model):
    _inherit = "crm.lead"

    g_assistant_path = fields.Char("Came By", compute="_compute_g_assistant_origin")
    g_assistant_clicked_at = fields.Datetime("Clicked On", compute="_compute_g_assistant_origin")
    g_assistant_answers_html = fields.Html(
        "Form Answers", compute="_compute_g_assistant_answers", sanitize=False
    )

    @api.depends(
        *(f"g_assistant_{part}" for part in PATH),
        *(f"g_assistant_{part}_name" for part in PATH[1:]),
        "g_assistant_click_ids",
    )
    def _compute_g_assistant_origin(self):
        for lead in self:
            steps = [self._g_assistant_platform_name(lead.g_assistant_platform)]
            for part in PATH[1:]:
                # Platforms do not always tell a name.
                steps.append(lead[f"g_assistant_{part}_name"] or lead[f"g_assistant_{part}"])
            lead.g_assistant_path = " › ".join(ISOLATED % step for step in steps if step) or False
            lead.g_assistant_clicked_at = self._g_assistant_clicked(lead.g_assistant_click_ids)

    @api.model
    def _g_assistant_platform_name(self, platform):
        names = {"tiktok": "TikTok", "linkedin": "LinkedIn", "whatsapp": "WhatsApp"}
        return names.get(platform) or (platform or "").capitalize()

    @api.model
    def _g_assistant_clicked(self, click_ids):
        found = CLICKED.search(click_ids or "")
        if not found:
            return False
        seconds = int(found[1]) / 1000 if found[1] else int(found[2])
        return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None, microsecond=0)

    @api.depends("g_assistant_answers")
    def _compute_g_assistant_answers(self):
        for lead in self:
            rows = Markup().join(
                Markup(
                    '<tr><td class="text-muted w-50"><bdi>%s</bdi></td><td><bdi>%s</bdi></td></tr>'
                )
                % (question, Markup("<br/>").join(map(escape, answer.splitlines())))
                for question, answer in json.loads(lead.g_assistant_answers or "[]")
            )
            lead.g_assistant_answers_html = (
                rows
                and Markup('<table class="table table-sm mb-0"><tbody>%s</tbody></table>') % rows
            )

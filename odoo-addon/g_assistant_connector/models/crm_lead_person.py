from odoo import models


class CrmLead(models.Model):
    _inherit = "crm.lead"

    def action_g_assistant_person(self):
        return self._g_assistant_of_customer("g_assistant_connector.g_assistant_person_action")

    def action_g_assistant_conversation(self):
        return self._g_assistant_of_customer("g_assistant_connector.g_assistant_thread_action")

    def _g_assistant_of_customer(self, xmlid):
        self.ensure_one()
        action = self.env["ir.actions.actions"]._for_xml_id(xmlid)
        # Kept in the address, so that loading the page again shows the same customer.
        return {**action, "context": {"active_id": self.partner_id.id}}

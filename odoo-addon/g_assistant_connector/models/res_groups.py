from odoo import api, models

GROUPS = {
    "privilege_viewer": ("Viewing Sales", ["group_viewer"]),
    "privilege_connector": ("Connector", ["group_admin", "group_daemon"]),
}


class ResGroups(models.Model):
    _inherit = "res.groups"

    @api.model
    def _g_assistant_arrange(self):
        """Put the addon's groups where a user's form shows them. Up to 18 a group is in a
        category; from 19 on in a privilege, of which a user has one group."""
        addon = "g_assistant_connector"
        category = self.env.ref(f"{addon}.module_category")
        for xmlid, (name, groups) in GROUPS.items():
            groups = self.concat(*(self.env.ref(f"{addon}.{group}") for group in groups))
            if "category_id" in self._fields:
                groups.category_id = category
                continue
            privilege = self.env.ref(f"{addon}.{xmlid}", raise_if_not_found=False)
            if not privilege:
                values = {"name": name, "category_id": category.id}
                privilege = self.env["res.groups.privilege"].create(values)
                self.env["ir.model.data"]._update_xmlids(
                    [{"xml_id": f"{addon}.{xmlid}", "record": privilege, "noupdate": True}]
                )
            groups.privilege_id = privilege

import base64

import polib

from odoo.tests import TransactionCase, tagged
from odoo.tools.misc import file_open

ADDON = "g_assistant_connector"


@tagged("post_install", "-at_install")
class TestTranslations(TransactionCase):
    """The catalogue has what people read, and Arabic has all of it."""

    def catalogue(self, name):
        with file_open(f"{ADDON}/i18n/{name}") as file:
            return polib.pofile(file.read())

    def test_the_catalogue_is_in_step(self):
        module = self.env["ir.module.module"].search([("name", "=", ADDON)])
        export = self.env["base.language.export"].create(
            {"format": "po", "modules": [(6, 0, module.ids)]}
        )
        export.act_getfile()
        now = polib.pofile(base64.b64decode(export.data).decode())
        kept = self.catalogue(f"{ADDON}.pot")
        self.assertEqual({one.msgid for one in now}, {one.msgid for one in kept})

    def test_all_of_it_is_in_arabic(self):
        kept = {one.msgid for one in self.catalogue(f"{ADDON}.pot")}
        arabic = {one.msgid for one in self.catalogue("ar.po") if one.msgstr}
        self.assertEqual(kept, arabic)

import base64
import io
import json

from PIL import Image

from odoo.exceptions import AccessError, UserError
from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools import mute_logger

from .common import ConversationCase

# A picture of one dot.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PAGE = b"<html><body><script>alert(1)</script></body></html>"
DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@tagged("post_install", "-at_install")
class TestMedia(ConversationCase, HttpCase):
    def attach(self, number=1, data=PNG, index=0, user=None, **more):
        file = {
            "source": "wa",
            "message": f"m{number}",
            "index": index,
            "name": "front.png",
            "mime": "image/png",
        }
        bridge = self.bridge.with_user(user) if user else self.bridge
        answer = bridge.attach(json.dumps(file | more), base64.b64encode(data).decode())
        self.env.invalidate_all()
        return json.loads(answer)["status"]

    def picture(self, number=1, kind="image", files=1, **more):
        media = [{"id": f"{number}-{index}", "mime": "image/png"} for index in range(files)]
        return self.env["crm.lead"].browse(
            self.send(number, "front", kind=kind, media=media, **more)["id"]
        )

    def test_a_file_is_with_its_message_once(self):
        lead = self.picture(files=2)
        self.assertEqual(
            [self.attach(), self.attach(), self.attach(index=1)], ["done", "known", "done"]
        )
        files = self.posted(lead).attachment_ids
        self.assertEqual(files.mapped("raw"), [PNG, PNG])
        self.assertEqual(
            set(files.mapped(lambda one: (one.name, one.mimetype))), {("front.png", "image/png")}
        )
        self.assertEqual(
            set(files.mapped(lambda one: (one.res_model, one.res_id))), {("crm.lead", lead.id)}
        )
        self.assertFalse(any(files.mapped("public")))
        # What a person deletes does not come back.
        files.unlink()
        self.assertEqual(self.attach(), "known")
        self.assertFalse(self.posted(lead).attachment_ids)

    def test_a_large_picture_stays_as_it_came(self):
        large = io.BytesIO()
        Image.new("RGB", (2400, 2000)).save(large, "PNG")
        lead = self.picture()
        self.attach(data=large.getvalue())
        self.assertEqual(self.posted(lead).attachment_ids.raw, large.getvalue())

    def test_why_there_is_none_is_said_once(self):
        lead = self.picture(files=3)
        for index, (missing, words) in enumerate(
            [
                ("gone", "does not have this file any more"),
                ("too_large", "too large to be fetched"),
                ("damaged", "arrived damaged"),
            ]
        ):
            given = {"index": index, "missing": missing, "name": "<b>.pdf", "data": b""}
            self.assertEqual([self.attach(**given), self.attach(**given)], ["done", "known"])
            body = self.posted(lead).body
            self.assertEqual(body.count(words), 1)
            self.assertIn("&lt;b&gt;.pdf:", body)
        self.assertIn("front", body)
        self.assertFalse(self.posted(lead).attachment_ids)
        # If it is fetched after all.
        self.assertEqual(self.attach(index=1), "done")
        self.assertEqual(self.posted(lead).attachment_ids.raw, PNG)

    def test_a_message_that_is_not_there_takes_nothing(self):
        self.assertEqual(self.attach(99), "gone")
        self.mark(id="m2", status="deleted")
        lead = self.picture(2)
        self.assertEqual(self.attach(2), "gone")
        self.picture(3).unlink()
        self.end_transaction()
        self.assertEqual(self.attach(3), "gone")
        self.assertFalse(self.env["ir.attachment"].search([("name", "=", "front.png")]))
        self.assertFalse(lead.exists())

    def test_what_is_taken_back_takes_its_files_along(self):
        lead = self.picture()
        self.attach()
        kept = self.env["ir.attachment"].create(
            {"name": "ours.txt", "raw": b"x", "res_model": "crm.lead", "res_id": lead.id}
        )
        files = self.posted(lead).attachment_ids
        self.mark(id="m1", status="deleted")
        self.assertFalse(files.exists())
        self.assertTrue(kept.exists())

    def test_it_follows_its_lead(self):
        lead = self.picture()
        self.attach()
        files = self.posted(lead).attachment_ids
        winner = self.lead(name="Winner", contact_name="Sara", probability=90)
        (lead | winner).merge_opportunity()
        self.end_transaction()
        left = (lead | winner).exists()
        self.assertEqual((files.res_id, self.posted(left).attachment_ids), (left.id, files))
        # What comes after the merge goes where the message is.
        later = self.picture(4)
        other = self.lead(name="Other", contact_name="Sara", probability=99)
        (later | other).merge_opportunity()
        self.end_transaction()
        left = (later | other).exists()
        self.attach(4)
        files = self.posted(left).attachment_ids
        self.assertEqual(set(files.mapped("res_id")), {left.id})
        self.assertEqual(len(files), 2)

    def test_whoever_may_read_the_lead_may_read_the_file(self):
        lead = self.picture()
        seller, other, viewer = (
            new_test_user(self.env, login, groups=groups)
            for login, groups in (
                ("g-seller", "sales_team.group_sale_salesman"),
                ("g-other", "sales_team.group_sale_salesman"),
                ("g-viewer", "g_assistant_connector.group_viewer"),
            )
        )
        lead.user_id = seller
        self.end_transaction()
        self.attach()
        file = self.posted(lead).attachment_ids
        for user in (seller, viewer):
            self.assertEqual(file.with_user(user).raw, PNG)
        with self.assertRaises(AccessError):
            file.with_user(other).read(["raw"])
        for user in (seller, viewer, self.env.ref("base.user_admin")):
            with self.assertRaises(AccessError), mute_logger("odoo.http"):
                self.attach(user=user)

    def test_nothing_runs_in_a_browser(self):
        lead = self.picture(files=7)
        admin = self.env.ref("base.user_admin")
        admin.password = "front-and-back"
        for index, (name, mime, data) in enumerate(
            [
                ("x.html", "text/html", PAGE),
                ("x.svg", "image/svg+xml", DRAWING),
                ("x.xhtml", "application/xhtml+xml", PAGE),
                ("x.xml", "text/xml", DRAWING),
                ("x.html", None, PAGE),
                ("x.svg", None, DRAWING),
                ("x.png", "image/png", PAGE),
            ]
        ):
            self.attach(index=index, data=data, name=name, mime=mime)
            file = self.posted(lead).attachment_ids.sorted("id")[-1]
            self.assertEqual((file.raw, file.name), (data, name))
            self.env.flush_all()
            self.authenticate("admin", "front-and-back")
            answer = self.url_open(f"/web/content/{file.id}")
            self.assertEqual(answer.status_code, 200)
            expected = "image/png" if name == "x.png" else "text/plain"
            self.assertTrue(answer.headers["Content-Type"].startswith(expected), (name, mime))
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")

    def test_a_voice_note_can_be_played(self):
        lead = self.picture(kind="audio")
        self.attach(name="audio.ogg", mime="audio/ogg", data=b"OggS")
        file = self.posted(lead).attachment_ids
        self.assertEqual(file.mimetype, "audio/ogg")
        self.assertTrue(
            self.env["discuss.voice.metadata"].search([("attachment_id", "=", file.id)])
        )

    def test_what_is_odd_is_refused(self):
        self.picture()
        with self.assertRaises(UserError):
            self.attach(index=1)
        with self.assertRaises(UserError):
            self.bridge.attach("{", "")
        file = {"source": "wa", "message": "m1", "index": 0, "name": "x"}
        with self.assertRaises(UserError):
            self.bridge.attach(json.dumps(file), "no Base64")
        answer = json.loads(self.bridge.attach(json.dumps(file), "", "another-database"))
        self.assertEqual(
            answer["wrong_database"],
            self.env["ir.config_parameter"].sudo().get_param("database.uuid"),
        )

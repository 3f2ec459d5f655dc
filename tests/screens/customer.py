"""A customer with a history of two months, for Odoo's shell (see screens.py)."""

import itertools
import json
from datetime import datetime, timedelta

keys = itertools.count()
NOW = datetime.now().replace(microsecond=0)
seller = env.ref("base.user_admin")
seller.name = "فهد الحربي"
daemon = env["res.users"].search([("login", "=", "daemon")])
bridge = env["g_assistant.bridge"].with_user(daemon)


def happen(when, change):
    """Do something, and let it have been then."""
    env.cr.execute("SELECT coalesce(max(id), 0) FROM mail_message")
    [last] = env.cr.fetchone()
    record = change()
    env.flush_all()
    env.cr.commit()
    env.cr.execute("UPDATE mail_message SET date = %s, create_date = %s WHERE id > %s", [when, when, last])
    env.cr.execute("UPDATE g_assistant_score SET at = %s WHERE at > now() at time zone 'utc' - interval '1 minute'", [when])
    if record:
        env.cr.execute(f"UPDATE {record._table} SET create_date = %s WHERE id = %s", [when, record.id])
        if "date_order" in record._fields:
            env.cr.execute("UPDATE sale_order SET date_order = %s WHERE id = %s", [when, record.id])
    env.invalidate_all()
    env.cr.commit()
    return record


def ago(days, hours=0):
    return NOW - timedelta(days=days, hours=hours)


def apply(ref, values, **more):
    owned = [name for name in values if name.startswith("g_assistant_")]
    operation = {"key": f"customer:{next(keys)}", "model": "crm.lead", "action": "upsert", "ref": ref, "values": values, "owned": owned, **more}
    [result] = json.loads(bridge.apply(json.dumps([operation])))
    return env["crm.lead"].browse(result["id"])


def scored(score, **more):
    return {"g_assistant_score": score, "g_assistant_score_reasons": "mobile number of Saudi Arabia +20", **more}


def says(number, when, text, ref="wa:sara"):
    message = {"source": "wa", "channel": "whatsapp", "account": "966112345678", "people": ["sara"], "id": f"m{number}", "kind": "text",
               "text": text, "name": "سارة العتيبي", "phone": "+966501234567", "sent_at": when.strftime("%Y-%m-%d %H:%M:%S")}
    apply(ref, {"name": "سارة العتيبي"}, message=message)


company = env["res.partner"].create({"name": "شركة نجد للتجارة", "is_company": True, "phone": "+966 11 234 5678", "city": "الرياض", "country_id": env.ref("base.sa").id})
sara = env["res.partner"].create({
    "name": "سارة العتيبي", "parent_id": company.id, "function": "مديرة المشتريات", "email": "sara@example.com", "phone": "+966 50 123 4567",
    "user_id": seller.id, "category_id": [(0, 0, {"name": "VIP", "color": 10})],
})
env["res.partner"].create({"name": "ماجد القحطاني", "parent_id": company.id, "function": "المدير المالي", "email": "majed@example.com"})
product = env["product.product"].create({"name": "Villa design", "list_price": 4800, "taxes_id": False})


def order(price, days):
    line = (0, 0, {"product_id": product.id, "price_unit": price})
    return happen(ago(days), lambda: env["sale.order"].create({"partner_id": sara.id, "user_id": seller.id, "order_line": [line]}))


meta = {"g_assistant_platform": "facebook", "g_assistant_campaign_name": "فلل الرياض – الربع الرابع", "g_assistant_form_name": "Villas"}
first = happen(ago(58), lambda: apply("meta:1", {"name": "فيلا في النرجس", "contact_name": "سارة العتيبي", "email_from": "sara@example.com", **meta, **scored(46)}))
happen(ago(58), lambda: first.write({"partner_id": sara.id, "user_id": seller.id, "type": "opportunity", "expected_revenue": 18500}) and None)
stages = env["crm.stage"].search([], order="sequence")
happen(ago(57), lambda: first.with_user(seller).write({"stage_id": stages[1].id}) and None)
happen(ago(56), lambda: apply("meta:1", scored(71)) and None)
call = first.activity_schedule("mail.mail_activity_data_call", user_id=seller.id, summary="موعد المعاينة")
happen(ago(55), lambda: call.with_user(seller).action_feedback(feedback="تفضل زيارة الموقع صباح الأحد.") and None)
sold = order(18500, 50)
happen(ago(49), lambda: sold.with_user(seller).write({"state": "sent"}) and None)
happen(ago(41), lambda: sold.with_user(seller).action_confirm() and None)
env.cr.execute("UPDATE sale_order SET date_order = %s WHERE id = %s", [ago(41), sold.id])
happen(ago(41), lambda: first.with_user(seller).action_set_won() and None)
second = happen(ago(20), lambda: apply("meta:2", {"name": "تصميم داخلي", "email_from": "sara@example.com", **meta, "g_assistant_campaign_name": "Interior – Autumn", "g_assistant_platform": "instagram", **scored(38)}))
happen(ago(20), lambda: second.write({"partner_id": sara.id, "user_id": seller.id, "type": "opportunity", "expected_revenue": 6200}) and None)
happen(ago(17), lambda: second.with_user(seller).action_set_lost() and None)
third = happen(ago(6), lambda: apply("wa:sara", {"name": "ملحق وحديقة", "phone": "+966501234567", **meta, **scored(64)}))
happen(ago(6), lambda: third.write({"partner_id": sara.id, "user_id": seller.id, "type": "opportunity", "expected_revenue": 9600}) and None)
env.cr.commit()
says(1, ago(6), "السلام عليكم، هل يشمل العرض تنسيق الحديقة؟")
env.cr.commit()
post = {"message_type": "comment", "author_id": seller.partner_id.id}
happen(ago(5, 20), lambda: third.message_post(body="وعليكم السلام، نعم يشمل الحديقة والملحق. أرسل لك العرض اليوم.", subtype_xmlid="mail.mt_comment", **post) and None)
offer = order(9600, 5)
happen(ago(5), lambda: offer.with_user(seller).write({"state": "sent"}) and None)
happen(ago(4), lambda: third.message_post(body="Thank you. Can you hold the price until the end of the month?", message_type="email", subtype_xmlid="mail.mt_comment", author_id=sara.id) and None)
happen(ago(3), lambda: apply("wa:sara", scored(83)) and None)
happen(ago(2), lambda: third.message_post(body="تهتم بموعد التسليم أكثر من السعر.", **post) and None)
says(2, ago(0, 2), "ممتاز، متى نوقع؟")
env.cr.commit()
print(f"CUSTOMER={sara.id}")

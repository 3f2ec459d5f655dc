"""What people did in the demo's month: run in Odoo's shell, with `env` and `facts`.

First the leads get the time at which they came. Then Odoo's clock is put to each moment at which somebody does something,
so that messages, response times, stages and closing dates are Odoo's own.
"""

import json
import random
from datetime import datetime, timedelta

from freezegun import freeze_time
from psycopg2.extras import execute_values

from odoo.addons.g_assistant_connector import sender

facts = json.loads(facts)
dice = random.Random(11)
now = datetime.fromisoformat(facts["now"])
events = env["g_assistant.event"]
# Its thread waits by the clock that is moved here. The server beside us sends.
sender.wake = lambda *_: None

# ---- when they came ------------------------------------------------------------------------

leads = env["crm.lead"].with_context(active_test=False).search([], order="id")
came = {}
for lead in leads:
    at = facts["times"].get((lead.phone or "").replace(" ", ""))
    if at:
        came[lead.id] = datetime.fromisoformat(at)
leads = leads.browse(sorted(came, key=came.get))
moved = [(lead.id, came[lead.id]) for lead in leads]
# What this transaction does is no change: nobody did anything.
forget = "DELETE FROM g_assistant_change WHERE txid = txid_current()"
for statement in (
    "UPDATE crm_lead t SET create_date = v.at, date_open = CASE WHEN t.user_id IS NOT NULL THEN v.at END,"
    " date_last_stage_update = v.at FROM (VALUES %s) v(id, at) WHERE t.id = v.id",
    "UPDATE mail_message t SET date = v.at FROM (VALUES %s) v(id, at) WHERE t.model = 'crm.lead' AND t.res_id = v.id"
    " AND NOT EXISTS (SELECT FROM g_assistant_message m WHERE m.mail_message_id = t.id)",
    "UPDATE g_assistant_history t SET timestamp = v.at FROM (VALUES %s) v(id, at) WHERE t.lead_id = v.id",
):
    execute_values(env.cr._obj, statement, moved, template="(%s, %s::timestamp)", page_size=1000)
env.cr.execute(forget)
env.cr.commit()
env.invalidate_all()

# ---- what people did -----------------------------------------------------------------------

people = {login: env["res.users"].search([("login", "=", login)]) for login in facts["sellers"]}
# Minutes until somebody answers, in the middle: some are quick.
pace = dict(zip(facts["sellers"], (6, 18, 45, 150)))
stages = env["crm.stage"].search([], order="sequence")
won_stage = stages.filtered("is_won")[:1]
qualified, proposition = (stages - won_stage)[1:3]
reasons = env["crm.lost.reason"].search([])
products = env["product.product"].search([("default_code", "in", ["HUB-1", "SENSOR-4"])])
products |= env["product.product"].create([
    {"name": name, "default_code": code, "list_price": price, "type": "service" if code == "DESIGN" else "consu"}
    for code, name, price in [("CAM-2", "Outdoor camera", 390), ("LOCK-1", "قفل ذكي", 850),
                              ("LIGHT-6", "Light control, 6 rooms", 2_400), ("DESIGN", "تصميم المنزل الذكي", 1_500)]
])
NOTES = ["Called. Wants a visit on Saturday.", "اتصلت به، طلب عرض سعر مفصل", "No answer, sent a message.",
         "لم يرد، سأتصل مساءً", "Has another offer; compare cameras.", "مهتم جداً، لديه ميزانية"]


def working(at):
    """The next moment at which somebody is at work: Sunday to Thursday, and Saturday."""
    local = at + timedelta(hours=3)
    while local.weekday() == 4 or not 9 <= local.hour < 21:
        local = (local + timedelta(hours=1)).replace(minute=dice.randrange(3, 50))
        if local.hour >= 21 or local.weekday() == 4:
            continue
    return local - timedelta(hours=3)


def seller(lead):
    return people.get(lead.user_id.login) or dice.choice(list(people.values()))


def wave(clock, steps):
    """Carry out ``{when: (lead, what)}`` in order, commit, and give the history these times."""
    env.cr.execute("SELECT COALESCE(max(id), 0) FROM g_assistant_history")
    before = env.cr.fetchone()[0]
    times = {}
    for at, lead, act in sorted(steps, key=lambda step: (step[0], step[1].id)):
        clock.move_to(at)
        act(lead.with_user(seller(lead)))
        # What is tracked is posted at the end of a transaction: here, while the clock is right.
        env.flush_all()
        env.cr.precommit.run()
        times["lead_id", lead.id] = at
        for order in lead.sudo().order_ids:
            times["order_id", order.id] = at
    env.cr.commit()
    while events._digest():
        env.cr.commit()
    for column in ("lead_id", "order_id"):
        rows = [(record, at) for (name, record), at in times.items() if name == column]
        if rows:
            execute_values(
                env.cr._obj,
                f"UPDATE g_assistant_history t SET timestamp = v.at FROM (VALUES %s) v(id, at)"
                f" WHERE t.{column} = v.id AND t.id > {before}",
                rows, template="(%s, %s::timestamp)", page_size=1000,
            )
    env.cr.commit()
    env.invalidate_all()


def answer(lead):
    if dice.random() < 0.4:
        lead.message_post(body=dice.choice(NOTES))
    elif lead.stage_id == stages[0] and dice.random() < 0.6:
        lead.write({"stage_id": qualified.id, "priority": dice.choice("0112")})
    else:
        lead.write({"expected_revenue": lead.expected_revenue or dice.choice([9_000, 18_000, 32_000])})
        lead.message_post(body=dice.choice(NOTES))


def qualify(lead):
    lead.write({"stage_id": dice.choice([qualified, proposition]).id,
                "expected_revenue": lead.expected_revenue or dice.choice([12_000, 22_000, 48_000])})


def quote(lead):
    if not lead.partner_id:
        lead.sudo()._handle_partner_assignment(create_missing=True)
    chosen = dice.sample(list(products), dice.randrange(1, 4))
    order = lead.env["sale.order"].create({
        "partner_id": lead.partner_id.id,
        "opportunity_id": lead.id,
        "user_id": lead.user_id.id or lead.env.uid,
        "campaign_id": lead.campaign_id.id,
        "source_id": lead.source_id.id,
        "medium_id": lead.medium_id.id,
        "order_line": [(0, 0, {"product_id": one.id, "product_uom_qty": dice.randrange(1, 9)}) for one in chosen],
    })
    lead.write({"stage_id": proposition.id, "expected_revenue": order.amount_untaxed})
    if dice.random() < 0.7:
        order.write({"state": "sent"})


def win(lead):
    order = lead.order_ids[:1]
    if order:
        if dice.random() < 0.4:
            order.order_line[0].discount = dice.choice([5, 10])
        order.action_confirm()
    lead.action_set_won()


def lose(lead):
    lead.action_set_lost(lost_reason_id=dice.choice(reasons).id if reasons else False)


first, second, offers, ends = [], [], [], []
for lead in leads:
    at = came[lead.id]
    junk = set(lead.g_assistant_flag_ids.mapped("code")) - {"DUPLICATE"}
    if junk or dice.random() < 0.09:
        continue
    owner = lead.user_id.login
    minutes = dice.lognormvariate(0, 0.9) * pace.get(owner, 60)
    answered = working(at + timedelta(minutes=minutes))
    if answered > now:
        continue
    first.append((answered, lead, answer))
    later = working(answered + timedelta(hours=dice.uniform(3, 60)))
    luck = dice.random() + (lead.g_assistant_score - 50) / 400
    if later > now or luck < 0.25:
        if luck < 0.2 and answered + timedelta(days=3) < now:
            ends.append((working(answered + timedelta(days=3)), lead, lose))
        continue
    second.append((later, lead, qualify))
    offered = working(later + timedelta(hours=dice.uniform(6, 96)))
    if offered > now or luck < 0.7 or len(offers) >= 46:
        continue
    offers.append((offered, lead, quote))
    ended = working(offered + timedelta(hours=dice.uniform(12, 150)))
    if ended < now and luck > 0.86:
        ends.append((ended, lead, win))

with freeze_time(now, ignore=["odoo.sql_db", "psycopg2", "threading", "logging"]) as clock:
    for steps in (first, second, offers, ends):
        wave(clock, [step for step in steps if step[0] <= now])
    clock.move_to(now)
    for lead in leads.filtered(lambda lead: lead.active and lead.stage_id != won_stage)[::4]:
        who = seller(lead)
        lead.with_user(who).activity_schedule(
            "mail.mail_activity_data_call", now.date() + timedelta(days=dice.randrange(-4, 7)), user_id=who.id
        )
    env.cr.commit()

# Orders that came by the shop, and everything else that bears today's date.
orders = env["sale.order"].search([("opportunity_id", "=", False)])
rows = [(order.id, now - timedelta(days=dice.random() * facts["days"])) for order in orders]
if rows:
    execute_values(
        env.cr._obj,
        "UPDATE sale_order t SET create_date = v.at, date_order = v.at FROM (VALUES %s) v(id, at) WHERE t.id = v.id",
        rows, template="(%s, %s::timestamp)",
    )
env.cr.execute("UPDATE sale_order SET create_date = date_order WHERE opportunity_id IS NOT NULL")
env.cr.execute(forget)

# ---- what the campaigns cost ---------------------------------------------------------------

spends = []
for day in range(facts["days"] + 1):
    at = now - timedelta(days=day)
    for platform, number, name, share, cost in facts["campaigns"]:
        quiet = 0.6 if (at + timedelta(hours=3)).weekday() == 4 else 1
        amount = round(share / facts["days"] * cost * quiet * dice.uniform(0.8, 1.25), 2)
        clicks = int(amount / dice.uniform(1.1, 2.6))
        spends.append({"day": at.date(), "platform": platform, "campaign": number, "campaign_name": name,
                       "amount": amount, "clicks": clicks, "impressions": clicks * dice.randrange(45, 90)})
env["g_assistant.spend"].create(spends)
env.cr.commit()

env.cr.execute(
    "SELECT count(*), count(*) FILTER (WHERE g_assistant_response_minutes > 0), count(DISTINCT create_date::date),"
    " count(*) FILTER (WHERE NOT active), count(*) FILTER (WHERE stage_id = %s) FROM crm_lead", [won_stage.id])
print("MONTH=" + json.dumps(dict(zip(
    ("leads", "answered", "days", "lost", "won"), env.cr.fetchone())) | {
    "orders": env["sale.order"].search_count([]),
    "confirmed": env["sale.order"].search_count([("state", "=", "sale")]),
    "spend": len(spends),
    "changes": env["g_assistant.history"].search_count([]),
    "messages": env["g_assistant.message"].search_count([]),
}))

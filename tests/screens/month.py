"""Leads and spend of a month, for the pictures: run in Odoo's shell, with `env`.

The same each time: only the days move along.
"""

import random
from datetime import datetime, timedelta

dice = random.Random(7)
now = datetime.utcnow().replace(minute=0, second=0, microsecond=0)

boss = env["res.users"].search([("login", "=", "boss")])
boss.write({"name": "هدى الشمري", "tz": "Asia/Riyadh"})
people = boss
for login, name in (("sara", "سارة العتيبي"), ("omar", "Omar Haddad"), ("nora", "نورة القحطاني")):
    group = env.ref("sales_team.group_sale_salesman")
    people |= env["res.users"].create({"name": name, "login": login, "tz": "Asia/Riyadh"})
    people[-1:].write({"group_ids": [(4, group.id)]})

campaigns = [
    ("meta", "120210000000000001", "فلل الرياض"),
    ("meta", "120210000000000002", "Smart Home, Jeddah"),
    ("google", "22001133445", "Search: villas"),
    ("tiktok", "178899001122", "جولة في الفيلا"),
    ("snapchat", "a1b2c3", "Snap: National Day"),
]
sources = {
    name: env["utm.source"].create({"name": name})
    for name in ("Meta", "Google", "TikTok", "Snapchat", "Website", "WhatsApp")
}
stages = env["crm.stage"].search([])
won = stages.filtered("is_won")[:1]
flags = env["g_assistant.flag"].search([])
names = ["محمد القحطاني", "Sara Ali", "نورة الشمري", "James O'Neill", "فهد الدوسري", "Lina Haddad"]

values, facts = [], []
for number in range(420):
    platform, campaign, name = dice.choices([*campaigns, (None, None, None)], [9, 6, 5, 4, 2, 6])[0]
    source = sources.get({"tiktok": "TikTok"}.get(platform, (platform or "").title())) or sources[dice.choice(["Website", "WhatsApp"])]
    stage = dice.choices(stages, [10, 5, 4, 3][: len(stages)])[0]
    flag = dice.choices([None, *flags], [90] + [1] * len(flags))[0]
    values.append(
        {
            "name": f"{name or 'Website'} · {dice.choice(names)}",
            "contact_name": dice.choice(names),
            "type": "opportunity",
            "phone": f"+9665{dice.randrange(10**7, 10**8)}" if dice.random() < 0.93 else False,
            "email_from": f"lead.{number}@example.com" if dice.random() < 0.8 else False,
            "source_id": source.id,
            "user_id": dice.choice(people).id if dice.random() < 0.95 else False,
            "stage_id": stage.id,
            "expected_revenue": dice.randrange(5, 90) * 1000,
            "g_assistant_platform": platform,
            "g_assistant_campaign": campaign,
            "g_assistant_campaign_name": name,
            "g_assistant_flag_ids": [(6, 0, flag.ids)] if flag else [],
        }
    )
    # People write in the evening, and less on Fridays.
    while True:
        at = now - timedelta(days=dice.random() * 30)
        local = at + timedelta(hours=3)
        if dice.random() < (0.15 if local.hour < 8 else 0.55 if local.hour < 17 else 1) * (0.4 if local.weekday() == 4 else 1):
            break
    minutes = dice.choices([None, dice.uniform(1, 5), dice.uniform(5, 60), dice.uniform(60, 900)], [10, 40, 35, 15])[0]
    facts.append((at, minutes, stage == won, dice.random() < 0.12))

leads = env["crm.lead"].with_context(tracking_disable=True, mail_create_nosubscribe=True).create(values)
leads.filtered(lambda lead: lead.stage_id == won).write({"probability": 100})
leads.browse([lead.id for lead, fact in zip(leads, facts) if fact[3] and not fact[2]]).action_set_lost()
for lead in leads.filtered("active")[::3]:
    lead.activity_schedule("mail.mail_activity_data_call", now.date() + timedelta(days=dice.randrange(-3, 6)), user_id=(lead.user_id or boss).id)
env.flush_all()
for lead, (at, minutes, _won, _lost) in zip(leads, facts):
    first = at + timedelta(minutes=minutes) if minutes else None
    env.cr.execute(
        "UPDATE crm_lead SET create_date = %s, date_closed = CASE WHEN date_closed IS NOT NULL THEN %s::timestamp END,"
        " g_assistant_first_action_at = %s, g_assistant_response_minutes = %s WHERE id = %s",
        [at, min(now, at + timedelta(days=4)), first, minutes, lead.id],
    )
for platform, campaign, name in campaigns:
    for day in range(30):
        clicks = dice.randrange(20, 400)
        env["g_assistant.spend"].create(
            {
                "day": now.date() - timedelta(days=day),
                "platform": platform,
                "campaign": campaign,
                "campaign_name": name,
                "amount": clicks * dice.uniform(4, 9),
                "clicks": clicks,
                "impressions": clicks * 60,
            }
        )
env.cr.commit()

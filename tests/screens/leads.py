"""The leads in the pictures: what a daemon would send."""

import json

REASONS = """source 18/25: a paid campaign
contact 22/25: phone checked, e-mail of a company
interest 27/30: asked for a price, wants to buy within 3 months
time 15/20: sent on a working day"""
ANSWERS = [
    ["كم عدد غرف النوم؟", "٤ غرف"],
    ["Budget", "1.5 – 2 M SAR"],
    ["When do you want to buy?", "Within 3 months"],
]
ORIGIN = {
    "platform": "meta",
    "campaign_name": "Q4 villas, Riyadh",
    "adset_name": "Families 30–45",
    "ad_name": "Video 2",
    "form_name": "فلل الرياض",
    "url": "https://villas.example.com/narjis",
    "click_ids": "fbc: fb.1.1795255200000.AbCdEf",
    "consent": "✓ أوافق على أن تتواصلوا معي بخصوص هذا العرض",
    "answers": json.dumps(ANSWERS, ensure_ascii=False),
    "route": "riyadh-villas",
}
OTHER = {"platform": "tiktok", "campaign_name": "Offices", "form_name": "Office in Jeddah", "consent": "✗ Newsletter"}


def operation(number, score, origin, decision=None, **values):
    own = {**origin, "score": score, "score_reasons": REASONS}
    lead = {
        "key": f"screens-{number}",
        "model": "crm.lead",
        "action": "upsert",
        "ref": f"villas:{number}",
        "values": {**{f"g_assistant_{name}": value for name, value in own.items()}, **values},
    }
    if decision:
        lead["match"] = {"phones": [values["phone"][-8:]], "decision": decision}
        lead["flags"] = {"phones": [], "emails": []}
    return lead


def operations(seller, flags):
    """The first leads."""
    noura = {"name": "Villa, Al Narjis", "contact_name": "نورة القحطاني", "email_from": "noura@example.com"}
    given = {"user_id": seller, "type": "opportunity"}
    return [
        operation(1, 82, ORIGIN, **given, **noura, phone="+966540123987", expected_revenue=1_850_000.0),
        operation(2, 55, ORIGIN, **given, name="Flat near the metro", contact_name="Omar Haddad", phone="+966555000111"),
        operation(3, 8, OTHER, **given, name="asdf", g_assistant_flag_ids=[flags["SPAM"], flags["INVALID_PHONE"]]),
        operation(4, 74, OTHER, name="Office, 300 m²", type="lead", g_assistant_flag_ids=[flags["NO_CONSENT"]]),
        operation(5, 47, OTHER, name="مكتب في جدة", type="lead", user_id=seller),
    ]


def again(lead, seller):
    """A delivery of the same person, and one of somebody who may be."""
    seen = {"id": lead, "seen": [[lead, "open"]]}
    came = {"user_id": seller, "type": "opportunity", "phone": "+966540123987"}
    return [
        operation(
            6, 60, OTHER, {"do": "attach", "reason": "same mobile number, same name", **seen},
            **came, name="Noura", contact_name="Noura Alqahtani", zip="13327",
        ),
        operation(
            7, 51, OTHER, {"do": "ask", "reason": "same mobile number, other name", **seen},
            **came, name="Shop in the mall", contact_name="فهد القحطاني",
        ),
    ]


def hot(seller):
    return operation(
        8, 91, ORIGIN, user_id=seller, type="opportunity", name="Palace, Al Malqa", expected_revenue=4_200_000.0
    )

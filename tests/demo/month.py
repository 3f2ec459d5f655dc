"""A believable month of a company that automates homes in Saudi Arabia: what its campaigns, its site and WhatsApp brought.

What came from outside goes in as it would: signed, through the daemon, so that scores, flags and duplicates are its own.
What people did is in `month_odoo.py`. The same seed gives the same month; only its days move along.
"""

import hashlib
import hmac
import json
import random
import time
from datetime import datetime, timedelta, timezone

DAYS = 30
RIYADH = timedelta(hours=3)

# platform, id, name, share of the leads, and SAR for one of them
CAMPAIGNS = [
    ("meta", "120210000000000001", "فلل الرياض", 90, 38),
    ("meta", "120210000000000002", "Smart Home, Jeddah", 70, 46),
    ("google", "22001133445", "Search: smart home", 75, 72),
    ("tiktok", "178899001122", "جولة في الفيلا", 60, 24),
    ("snapchat", "5f3c9a70-1d2e", "Snap: National Day", 40, 31),
]
SITE, CHATS = 40, 30
FORMS = {"فلل الرياض": "استشارة مجانية", "Smart Home, Jeddah": "Free consultation", "جولة في الفيلا": "احجز جولة",
         "Snap: National Day": "National Day offer"}

GIVEN = [("محمد", "Mohammed"), ("عبدالله", "Abdullah"), ("فهد", "Fahd"), ("خالد", "Khalid"), ("سلطان", "Sultan"),
         ("تركي", "Turki"), ("ماجد", "Majed"), ("سارة", "Sara"), ("نورة", "Noura"), ("ريم", "Reem"), ("هند", "Hind"),
         ("لمى", "Lama"), ("عبير", "Abeer"), ("يوسف", "Yousef"), ("بندر", "Bandar"), ("دانة", "Dana")]
FAMILY = [("القحطاني", "Al-Qahtani"), ("العتيبي", "Al-Otaibi"), ("الحربي", "Al-Harbi"), ("الشمري", "Al-Shammari"),
          ("الدوسري", "Al-Dosari"), ("الغامدي", "Al-Ghamdi"), ("الزهراني", "Al-Zahrani"), ("المطيري", "Al-Mutairi"),
          ("العنزي", "Al-Anazi"), ("باوزير", "Bawazir"), ("الشهري", "Al-Shehri"), ("السبيعي", "Al-Subaie")]
COMPANIES = ["شركة البناء الحديث", "Najd Real Estate", "مؤسسة الأفق للمقاولات", "Red Sea Villas", "دار العمران", "Rawabi Interiors"]
CITIES = [("الرياض", "Riyadh", 9), ("جدة", "Jeddah", 6), ("الدمام", "Dammam", 3), ("الخبر", "Khobar", 2), ("أبها", "Abha", 1)]
WISHES = [("أرغب في عرض سعر لفيلا من طابقين", "A quote for a villa with two floors, please."),
          ("هل يمكن زيارة المعرض يوم السبت؟", "Can I visit the showroom on Saturday?"),
          ("أحتاج كاميرات وأقفال ذكية", "I need cameras and smart locks."),
          ("كم تكلفة التحكم بالإضاءة والتكييف؟", "How much is control of lights and air conditioning?"),
          ("عندي مشروع من عشرين وحدة سكنية", "A project of twenty flats."),
          (None, None)]
BUDGETS = [8_000, 15_000, 25_000, 40_000, 60_000, 120_000]
TALK = [("السلام عليكم، عندي استفسار عن الأنظمة الذكية", "Hello, I have a question about your systems"),
        ("كم السعر تقريباً؟", "About how much is it?"), ("هل عندكم فرع في جدة؟", "Do you have a branch in Jeddah?"),
        ("تمام، متى ممكن الزيارة؟", "Good. When could you come?"), ("شكراً لكم", "Thank you")]
SELLERS = ["sara", "omar", "nora", "faisal"]


def moment(dice, now):
    """Evenings are busy, nights are not, and on Fridays people rest."""
    while True:
        at = now - timedelta(days=dice.random() * DAYS)
        local = at + RIYADH
        busy = 0.05 if 1 < local.hour < 7 else 0.45 if local.hour < 12 else 0.6 if local.hour < 17 else 1.0
        if dice.random() < busy * (0.45 if local.weekday() == 4 else 1):
            return at


class Month:
    def __init__(self, seed=7):
        self.dice = random.Random(seed)
        self.now = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(minutes=20)
        self.phones = set()
        # What the script in Odoo has to know: e-mail or phone of each lead -> when it came.
        self.times = {}
        self.leads, self.google, self.chats = [], [], []
        for platform, number, name, share, _cost in CAMPAIGNS:
            for one in range(share):
                self.of_campaign(platform, number, name, one)
        for one in range(SITE):
            self.leads.append(self.person(f"site-{one}") | {"source": "Website", "medium": "Form"})
        # Some come twice, others try the form, or are not serious.
        for one, again in enumerate(self.dice.sample(self.leads, 8)):
            at = self.times[again["phone"]]
            again = again | {"external_id": f"again-{one}", "message": "Still waiting for a call."}
            self.leads.append(again | {"submitted_at": stamp(min(self.now, at + timedelta(days=2)))})
        self.leads += [self.person("junk-1") | {"contact_name": "asdf asdf", "email": "a1@mailinator.com"},
                       self.person("junk-2") | {"contact_name": "test test", "email": "test@test.com"},
                       self.person("junk-3") | {"message": "BUY CHEAP SEO BACKLINKS http://spam.example http://spam2.example"}]
        for one in range(CHATS):
            self.of_chat(one)

    def phone(self):
        while True:
            phone = f"+9665{self.dice.choice('034568')}{self.dice.randrange(10**6, 10**7)}"
            if phone not in self.phones:
                self.phones.add(phone)
                return phone

    def person(self, number):
        dice = self.dice
        arabic = dice.random() < 0.6
        given, family = dice.choice(GIVEN), dice.choice(FAMILY)
        city = dice.choices(CITIES, [city[2] for city in CITIES])[0]
        wish = dice.choice(WISHES)[0 if arabic else 1]
        phone = self.phone()
        at = moment(dice, self.now)
        self.times[phone] = at
        lead = {"external_id": number, "contact_name": f"{given[0 if arabic else 1]} {family[0 if arabic else 1]}",
                "phone": phone, "country": "SA", "city": city[0 if arabic else 1], "submitted_at": stamp(at),
                "language": "ar" if arabic else "en", "salesperson": dice.choice(SELLERS)}
        if dice.random() < 0.7:
            lead["email"] = f"{given[1]}.{family[1]}{dice.randrange(100)}@example.com".lower()
        if dice.random() < 0.25:
            lead["company"] = dice.choice(COMPANIES)
        if wish:
            lead["message"] = wish
        if dice.random() < 0.6:
            lead["expected_revenue"] = dice.choice(BUDGETS)
        return lead

    def of_campaign(self, platform, number, name, one):
        lead = self.person(f"{platform}-{number[-4:]}-{one}")
        adset = self.dice.randrange(1, 4)
        if platform == "google":
            columns = {"FULL_NAME": lead["contact_name"], "PHONE_NUMBER": lead["phone"], "EMAIL": lead.get("email"),
                       "CITY": lead["city"], "COUNTRY": "SA"}
            self.google.append({
                "lead_id": lead["external_id"], "form_id": 880011, "campaign_id": int(number), "gcl_id": f"Cj0K-{one}",
                "user_column_data": [{"column_id": key, "string_value": value} for key, value in columns.items() if value]})
            return
        origin = {"platform": platform, "lead_id": lead["external_id"], "campaign_id": number, "campaign_name": name,
                  "adset_id": f"{number[:6]}{adset}", "adset_name": ["Families", "Owners", "Lookalike"][adset - 1],
                  "ad_id": f"{number[:6]}9{adset}", "ad_name": f"Video {adset}", "form_name": FORMS[name]}
        lead |= {"source": platform.title().replace("Tiktok", "TikTok"), "medium": "Paid social", "origin": origin,
                 "consent": [{"text": "You may call me.", "given": True}]}
        self.leads.append(lead)

    def of_chat(self, one):
        """Somebody writes on WhatsApp: some lines, minutes apart."""
        dice = self.dice
        arabic = dice.random() < 0.7
        phone = self.phone()
        at = self.times[phone] = moment(dice, self.now - timedelta(hours=1))
        given, family = dice.choice(GIVEN), dice.choice(FAMILY)
        name = f"{given[0 if arabic else 1]} {family[0 if arabic else 1]}"
        for line, text in enumerate(TALK[: dice.randrange(1, len(TALK) + 1)]):
            sent = int((at + timedelta(minutes=3 * line)).timestamp())
            message = {"from": phone[1:], "id": f"wamid.month.{one}.{line}", "timestamp": str(sent), "type": "text",
                       "text": {"body": text[0 if arabic else 1]}}
            value = {"metadata": {"phone_number_id": "106540352242922"}, "messages": [message],
                     "contacts": [{"profile": {"name": name}, "wa_id": phone[1:]}]}
            change = {"field": "messages", "value": value}
            self.chats.append({"object": "whatsapp_business_account", "entry": [{"id": "2", "changes": [change]}]})

    def orders(self):
        """What the shop sold by itself."""
        dice = self.dice
        return [{"external_id": f"SHOP-M{number}", "state": dice.choice(["quotation", "confirmed", "confirmed"]),
                 "customer": {"name": dice.choice(COMPANIES) + f" {number}", "phone": self.phone(), "country": "SA"},
                 "lines": [{"product": dice.choice(["HUB-1", "SENSOR-4"]), "quantity": dice.randrange(1, 30)}]}
                for number in range(15)]


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def sections(google_key, app_secret):
    """The sources of the month, for the daemon's configuration."""
    return f"""
[sources.ads]
kind = "generic"
secret = {{ file = "website.secret" }}

[sources.google]
kind = "google"
google_key = {{ file = "{google_key}" }}

[sources.google.defaults]
source = "Google"
medium = "CPC"
campaign = "Search: smart home"

[sources.whatsapp]
kind = "whatsapp"
app_secret = {{ file = "{app_secret}" }}
verify_token = {{ file = "{app_secret}" }}
"""


def send(month, daemon, sign, secrets):
    """Deliver all of it, as the platforms do."""
    def post(path, content, headers=None):
        body = json.dumps(content, ensure_ascii=False).encode()
        headers = headers(body) if headers else {"Content-Type": "application/json"}
        status, answer = daemon.request(f"/api/webhooks/{path}", body, headers)
        if status not in (200, 202):
            raise RuntimeError(f"{path}: the daemon answered {status}: {answer}")

    def signed(body):
        return sign(secrets["website"], f"month_{hashlib.sha256(body).hexdigest()[:16]}", body)

    def of_meta(body):
        mac = hmac.new(secrets["app"].encode(), body, hashlib.sha256).hexdigest()
        return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={mac}"}

    for start in range(0, len(month.leads), 50):
        post("ads", {"leads": month.leads[start : start + 50]}, signed)
    for lead in month.google:
        post("google", lead | {"google_key": secrets["google"]})
    for chat in month.chats:
        post("whatsapp", chat, of_meta)
    post("ads", {"orders": month.orders()}, signed)


def settled(daemon):
    """Whether the daemon has brought all of it to Odoo."""
    def busy():
        queues = daemon.request("/api/health")[1].get("queues", {"": {"ready": 1}})
        return any(queue.get("ready") or queue.get("leased") for queue in queues.values())

    if busy():
        return False
    # What one queue has done may be on its way into the next.
    time.sleep(0.3)
    return not busy()


def facts(month):
    """What `month_odoo.py` needs, as JSON."""
    return json.dumps({
        "now": month.now.strftime("%Y-%m-%d %H:%M:%S"),
        "days": DAYS,
        "sellers": SELLERS,
        "campaigns": CAMPAIGNS,
        "times": {phone: at.strftime("%Y-%m-%d %H:%M:%S") for phone, at in month.times.items()},
    })

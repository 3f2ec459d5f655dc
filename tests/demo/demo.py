#!/usr/bin/env python3
"""The main job, live, on a real Odoo.

Starts an Odoo 19 with the addon and the daemon beside it, sends signed leads and an order, lets a "salesperson" work
in Odoo, and shows what travelled; then fills Odoo with a believable month (`month.py`). `make demo` keeps running until Ctrl-C; `make demo ONCE=1` checks that each sample is
in Odoo exactly once and that each change came back, and exits with 0 only then.

Standard library only. Everything it makes lies in target/demo.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import xmlrpc.client
from pathlib import Path

import month

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "target" / "demo"
ODOO_ENV = ROOT / "tests" / "odoo" / "odoo-env"
DATABASE = "g_demo"
WAIT = 60

LEADS = [
    {"external_id": "fb-1001", "name": "Villa automation, Riyadh", "contact_name": "Sara Al-Harbi",
     "email": "sara@example.com", "phone": "+966 50 123 4567", "country": "SA", "city": "Riyadh",
     "source": "Facebook", "medium": "Paid social", "campaign": "Smart homes Q4",
     "message": "Please call me after 17:00.", "expected_revenue": 45000},
    {"external_id": "fb-1002", "contact_name": "محمد القحطاني", "company": "شركة البناء الحديث",
     "email": "m.qahtani@example.com", "phone": "٠٥٠ ٩٨٧ ٦٥٤٣", "country": "SA", "city": "جدة",
     "language": "ar", "source": "Facebook", "campaign": "المنازل الذكية",
     "message": "أرغب في عرض سعر لعشرين وحدة سكنية", "tags": ["VIP"]},
    {"external_id": "gg-2001", "contact_name": "Omar Haddad", "company": "Haddad Trading LLC",
     "email": "omar@haddad.example", "phone": "+971 4 555 0199", "country": "AE", "source": "Google",
     "medium": "CPC", "campaign": "Brand", "expected_revenue": 12000},
    {"external_id": "web-3001", "contact_name": "نورة العتيبي", "phone": "0551234567", "country": "SA",
     "source": "Website", "budget": "٥٠٬٠٠٠ ريال", "message": "متى يمكن زيارة المعرض؟"},
    {"external_id": "web-3002", "contact_name": "Lina Mansour", "email": "lina@example.org", "country": "KW",
     "source": "Website", "message": "Is there a showroom in Kuwait City?"},
]
ORDER = {"external_id": "SHOP-778", "customer": {"name": "مؤسسة نجد للتجارة", "email": "orders@najd.example",
                                                 "phone": "+966112345678", "country": "SA"},
         "lines": [{"product": "HUB-1", "quantity": 20}, {"product": "SENSOR-4", "quantity": 80, "price_unit": 75.0}]}


class Failed(Exception):
    """A check of the demo that does not hold."""


def say(text="", mark=" "):
    print(f"{mark} {text}", flush=True)


def title(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def odoo_env(*arguments):
    """Runs odoo-env, shows its progress, returns its KEY=VALUE lines."""
    done = subprocess.run([ODOO_ENV, *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    lines = done.stdout.strip().splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return {key: value.strip("'\"") for key, value in values.items()} or done.stdout.strip()


def until(what, check, wait=WAIT):
    """Waits for `check()` to be true and returns its value."""
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        time.sleep(0.05)
    raise Failed(f"after {wait} s still not: {what}")


class Odoo:
    """A person at the keyboard: plain XML-RPC with a login of their own."""

    def __init__(self, url, login, password):
        self.login, self.password = login, password
        self.uid = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/common").authenticate(DATABASE, login, password, {})
        self.proxy = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/object", allow_none=True)

    def __call__(self, model, method, *arguments, **named):
        try:
            return self.proxy.execute_kw(DATABASE, self.uid, self.password, model, method, arguments, named)
        except xmlrpc.client.Fault as fault:
            # The change is made; Odoo merely cannot say so over XML-RPC.
            if "cannot marshal None" in fault.faultString:
                return None
            raise


class Daemon:
    """The g-assistant process and its HTTP interface."""

    def __init__(self, binary, config, url, token):
        self.url, self.token = url, token
        self.log = (HOME / "g-assistant.log").open("w")
        self.process = subprocess.Popen([binary, "--config", config, "run"], stdout=self.log, stderr=self.log)

    def request(self, path, body=None, headers=None):
        """Returns status and JSON answer."""
        request = urllib.request.Request(self.url + path, data=body, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except (urllib.error.URLError, ConnectionError):
            return 0, {}

    def read(self, path):
        return self.request(path, headers={"Authorization": f"Bearer {self.token}"})[1]

    def heard_by_webhook(self):
        """How many changes arrived as signed posts (and not by polling)."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        counts = [line.split()[-1] for line in lines if line.startswith('g_assistant_changes_total{via="webhook"}')]
        return int(counts[0]) if counts else 0

    def is_ready(self):
        if self.process.poll() is not None:
            raise Failed(f"the daemon ended; see {self.log.name}")
        return self.request("/api/health")[1].get("odoo", {}).get("reachable")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


def sign(secret, message_id, body):
    """Standard Webhooks headers: what every sender does, in any language."""
    timestamp = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {"Content-Type": "application/json", "webhook-id": message_id, "webhook-timestamp": timestamp,
            "webhook-signature": "v1," + base64.b64encode(mac).decode()}


def write_secret(name, value):
    path = HOME / name
    path.write_text(value + "\n")
    path.chmod(0o600)
    return path


def start(arguments):
    """Odoo with the addon, a user for the daemon, the configuration, the daemon."""
    title("1. A real Odoo 19 with CRM, Sales and the addon")
    template = odoo_env("template", "g_connector", "--modules", "g_assistant_connector",
                        "--addons", str(ROOT / "odoo-addon"))["TEMPLATE"]
    odoo_env("stop", "--name", DATABASE)
    odoo_env("newdb", DATABASE, "--template", template, "--replace")
    server = odoo_env("serve", "--name", DATABASE, "--db", DATABASE, "--port", str(arguments.odoo_port))
    odoo_env("user", DATABASE, "g-assistant", secrets.token_urlsafe(24), "--name", "G-Assistant",
             "--groups", "g_assistant_connector.group_daemon")
    for login, name in {"sales": "Sales person", "sara": "سارة العتيبي", "omar": "Omar Haddad", "nora": "نورة القحطاني",
                        "faisal": "Faisal Al-Harbi"}.items():
        odoo_env("user", DATABASE, login, login, "--name", name, "--groups", "sales_team.group_sale_salesman_all_leads")
    admin = Odoo(server["URL"], "admin", "admin")
    riyals(admin)

    title("2. The daemon beside it")
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    key = write_secret("odoo.key", odoo_env("apikey", DATABASE, "g-assistant"))
    website = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    token = secrets.token_urlsafe(32)
    write_secret("website.secret", website)
    google, app = secrets.token_hex(16), secrets.token_hex(16)
    write_secret("google.key", google)
    write_secret("app.secret", app)
    write_secret("api.token", token)
    daemon_url = f"http://127.0.0.1:{arguments.port}"
    write_secret("odoo.secret", admin("g_assistant.secret", "generate"))
    admin("ir.config_parameter", "set_param", "g_assistant_connector.url", f"{daemon_url}/api/webhooks/odoo")
    admin("ir.config_parameter", "set_param", "g_assistant_connector.enabled", "True")
    config = HOME / "config.toml"
    config.write_text(f"""\
[server]
listen = "127.0.0.1:{arguments.port}"
tokens = [{{ file = "api.token" }}]

[store]
path = "store.db"

[odoo]
url = "{server["URL"]}"
database = "{DATABASE}"
login = "g-assistant"
secret = {{ file = "{key.name}" }}

[sources.website]
kind = "generic"
secret = {{ file = "website.secret" }}

[sources.odoo]
kind = "odoo"
secret = {{ file = "odoo.secret" }}
{month.sections("google.key", "app.secret")}""")
    subprocess.run([arguments.binary, "--config", config, "check", "--online"], check=True)
    daemon = Daemon(arguments.binary, config, daemon_url, token)
    until("the daemon is connected to Odoo", daemon.is_ready)
    return server["URL"], admin, daemon, {"website": website, "google": google, "app": app}


def riyals(admin):
    """A company in Riyadh."""
    [riyal] = admin("res.currency", "search", [["name", "=", "SAR"]], context={"active_test": False})
    [country] = admin("res.country", "search", [["code", "=", "SA"]])
    admin("res.currency", "write", [riyal], {"active": True})
    admin("res.company", "write", [1], {"currency_id": riyal, "country_id": country, "name": "Smart Homes Riyadh"})
    everybody = admin("res.users", "search", [["share", "=", False]])
    admin("res.users", "write", everybody, {"tz": "Asia/Riyadh"})


def send(daemon, secret, message_id, payload):
    body = json.dumps(payload, ensure_ascii=False).encode()
    return daemon.request("/api/webhooks/website", body, sign(secret, message_id, body))


def leads_in(odoo, daemon, secret):
    title("3. Leads come in, signed")
    for lead in LEADS:
        message = f"msg_{lead['external_id']}"
        began = time.monotonic()
        status, answer = send(daemon, secret, message, {"lead": lead})
        if status != 202:
            raise Failed(f"the daemon answered {status}: {answer}")
        name = lead.get("name") or lead.get("company") or lead["contact_name"]
        until(f"{lead['external_id']} is in Odoo", lambda: find(odoo, lead))
        say(f"{lead['external_id']:9} {name}: in the pipeline after {(time.monotonic() - began) * 1000:.0f} ms", "→")
        for warning in answer.get("warnings", []):
            say(f"          {warning}")
    status, _ = send(daemon, secret, "msg_fb-1001", {"lead": LEADS[0]})
    say(f"fb-1001 again, as platforms do: answered {status} and ignored", "→")
    status, _ = send(daemon, secret, "msg_fb-1001-bis", {"lead": LEADS[0]})
    say(f"fb-1001 under a new message id: answered {status}; the same lead, nothing to change", "→")
    status, answer = send(daemon, "whsec_" + base64.b64encode(b"x" * 32).decode(), "msg_forged", {"lead": LEADS[0]})
    say(f"a forged one: answered {status} ({answer['error']['code']})", "→")
    if status != 401:
        raise Failed("a forged lead was not refused")


def find(odoo, lead):
    """Ids of the leads in Odoo that are this sample."""
    domain = [["phone", "ilike", "551234567"]] if "email" not in lead else [["email_from", "=", lead["email"]]]
    return odoo("crm.lead", "search", domain, context={"active_test": False})


def order_in(odoo, daemon, secret):
    title("4. An order comes in")
    for code, name, price in [("HUB-1", "Smart home hub", 450.0), ("SENSOR-4", "Door sensor", 80.0)]:
        odoo("product.product", "create", {"name": name, "default_code": code, "list_price": price})
    send(daemon, secret, "msg_order", {"order": ORDER})
    ids = until("the quotation is in Odoo", lambda: orders(odoo))
    order = odoo("sale.order", "read", ids, ["name", "amount_total", "partner_id"])[0]
    say(f"{ORDER['external_id']} is quotation {order['name']} for {order['partner_id'][1]}: {order['amount_total']:.2f}", "→")
    return ids[0]


def orders(odoo):
    return odoo("sale.order", "search", [["client_order_ref", "=", ORDER["external_id"]]])


def changes_out(url, daemon, order):
    title("5. A salesperson works in Odoo; the daemon hears it, signed")
    sales = Odoo(url, "sales", "sales")
    lead = find(sales, LEADS[0])[0]
    for what, act, path, arrived in [
        ("corrects the phone number of lead fb-1001",
         lambda: sales("crm.lead", "write", [lead], {"phone": "+966 50 999 8888"}),
         f"/api/odoo/leads/{lead}", lambda record: record.get("phone") == "+966 50 999 8888"),
        ("wins it", lambda: sales("crm.lead", "action_set_won", [lead]),
         f"/api/odoo/leads/{lead}", lambda record: record.get("probability") == 100),
        ("confirms the quotation", lambda: sales("sale.order", "action_confirm", [order]),
         f"/api/odoo/orders/{order}", lambda record: record.get("state") == "sale"),
    ]:
        began = time.monotonic()
        act()
        saved = time.monotonic()
        until(f"the daemon knows that the salesperson {what}", lambda: arrived(daemon.read(path)))
        say(f"{what}: saved in {(saved - began) * 1000:.0f} ms, "
            f"known to the daemon {(time.monotonic() - saved) * 1000:.0f} ms later", "←")
    return lead


def merge(odoo, daemon, secret, lead):
    title("6. The source sends an update; what a person changed stays")
    update = {**LEADS[0], "phone": "+966 50 000 0000", "city": "Diriyah"}
    send(daemon, secret, "msg_fb-1001-update", {"lead": update})
    until("the update is in Odoo", lambda: odoo("crm.lead", "read", [lead], ["city"])[0]["city"] == "Diriyah")
    values = odoo("crm.lead", "read", [lead], ["city", "phone"])[0]
    say(f"city: {values['city']} (from the source); phone: {values['phone']} (the salesperson's)", "→")
    if values["phone"] != "+966 50 999 8888":
        raise Failed("a person's value was overwritten")


def month_before(odoo, daemon, keys):
    title("7. A month of it: campaigns, the site, WhatsApp, the shop, and what people made of them")
    brought = month.Month()
    began = time.monotonic()
    month.send(brought, daemon, sign, keys)
    until("the month is in Odoo", lambda: month.settled(daemon), wait=240)
    there = odoo("crm.lead", "search_count", [], context={"active_test": False})
    say(f"{there} leads are in Odoo, {time.monotonic() - began:.0f} s", "→")
    script = f"facts = {month.facts(brought)!r}\n" + (ROOT / "tests/demo/month_odoo.py").read_text()
    done = subprocess.run([ODOO_ENV, "odoo", "shell", "--no-http", "-d", DATABASE, f"--addons-path={ROOT / 'odoo-addon'}",
                           "--log-level=error"], input=f"exec({script!r})\n", capture_output=True, text=True)
    told = [line for line in done.stdout.splitlines() if "MONTH=" in line]
    if not told:
        raise Failed(f"what people did: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    counts = json.loads(told[0].split("MONTH=")[1])
    say("{leads} leads on {days} days, {answered} answered, {won} won, {lost} lost; {orders} orders, {confirmed} of them "
        "confirmed; {messages} messages; {spend} days of spend; {changes} changes in the history".format(**counts), "←")
    for what, least in [("leads", 380), ("answered", 250), ("days", 28), ("won", 15), ("lost", 30), ("orders", 50),
                        ("confirmed", 20), ("messages", 60), ("spend", 150), ("changes", 1200)]:
        if counts[what] < least:
            raise Failed(f"the month has {counts[what]} {what}, not {least}")


def verify(odoo, daemon):
    """Each sample exactly once; nothing waiting, nothing parked."""
    title("8. The account")
    for lead in LEADS:
        ids = find(odoo, lead)
        say(f"{lead['external_id']:9} in Odoo {len(ids)} time(s)", "✓" if len(ids) == 1 else "✗")
        if len(ids) != 1:
            raise Failed(f"{lead['external_id']} is in Odoo {len(ids)} times")
    if len(orders(odoo)) != 1:
        raise Failed("the order is not in Odoo exactly once")
    say(f"{ORDER['external_id']}  in Odoo 1 time(s)", "✓")

    def undelivered():
        return odoo("g_assistant.event", "search_count", [["state", "=", "pending"]])
    until("every event is delivered", lambda: undelivered() == 0)
    heard = daemon.heard_by_webhook()
    say(f"changes posted by Odoo, signed and accepted: {heard}", "✓" if heard else "✗")
    if not heard:
        raise Failed("no change came back by webhook")
    health = daemon.request("/api/health")[1]
    say(f"undelivered events: 0, health: {health['status']}", "✓")
    if health["status"] != "ok":
        raise Failed(f"the daemon is not well: {health}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the g-assistant to run")
    parser.add_argument("--once", action="store_true", help="check and exit instead of waiting for Ctrl-C")
    parser.add_argument("--odoo-port", type=int, default=8069)
    parser.add_argument("--port", type=int, default=8077)
    arguments = parser.parse_args()
    daemon = None
    try:
        url, admin, daemon, keys = start(arguments)
        secret = keys["website"]
        leads_in(admin, daemon, secret)
        order = order_in(admin, daemon, secret)
        lead = changes_out(url, daemon, order)
        merge(admin, daemon, secret, lead)
        month_before(admin, daemon, keys)
        verify(admin, daemon)
        if arguments.once:
            say("\neach sample is in Odoo exactly once, and each change came back")
            return 0
        title("Look around")
        say(f"Odoo      {url}/odoo/crm      login admin, password admin (or sales / sales)")
        say(f"daemon    {daemon.url}/api/health")
        say(f"log       {HOME / 'g-assistant.log'}")
        say(f"mirror    curl -H 'Authorization: Bearer {daemon.token}' {daemon.url}/api/odoo/leads")
        say("Ctrl-C ends both.")
        signal.pause()
    except Failed as failure:
        say(f"FAILED: {failure}", "✗")
        return 1
    except KeyboardInterrupt:
        say("\nstopping")
    finally:
        if daemon:
            daemon.stop()
        odoo_env("stop", "--name", DATABASE)
    return 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())

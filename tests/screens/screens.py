"""The pictures of docs/screens: the addon's screens in the real web client of a real Odoo 19.

    tests/odoo/odoo-env python tests/screens/screens.py [FOLDER [SCREEN…]]

makes a database of its own, lets a daemon's user report a believable state, gives it a customer with a history
(customer.py), and takes each screen in English and Arabic, wide and phone-sized, with Chromium. For Arabic from right
to left Odoo needs `rtlcss` (npm) on the path.
"""

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import xmlrpc.client
from datetime import datetime, timedelta, timezone
from pathlib import Path

import leads
import websocket

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ENV = ROOT / "tests/odoo/odoo-env"
DATABASE = "screens"
SIZES = {"wide": (1280, 720), "phone": (390, 844)}
# Those that show a month of leads, which would crowd the others.
OF_A_MONTH = ("dashboard", "campaigns")
# Screens that are longer than a page.
HEIGHTS = {"dashboard": {"wide": 1720, "phone": 1720}}
LANGUAGES = {"en": "en_US", "ar": "ar_001"}


def odoo_env(*arguments):
    text = subprocess.run([ENV, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line), text.strip()


def shell(code):
    options = ["--no-http", "-d", DATABASE, f"--addons-path={ROOT / 'odoo-addon'}", "--log-level=error"]
    done = subprocess.run([ENV, "odoo", "shell", *options], input=code, text=True, check=True, stdout=subprocess.PIPE)
    return done.stdout


def ago(**delta):
    return (datetime.now(timezone.utc) - timedelta(**delta)).strftime("%Y-%m-%d %H:%M:%S")


def report():
    day = [ago(days=n)[:10] for n in range(3)]
    meta = {"source": "meta", "kind": "meta", "reconciled_at": ago(minutes=9), "received_at": ago(minutes=4)}
    refused = {
        "detail": "refuses: 190/463 Error validating access token: Session has expired",
        "hint": "make a new token for the system user and put it where `token` of this source points to",
    }
    form = {"source": "meta", "form_key": "998877665544332", "form": "فلل الرياض"}
    key = "website:lead:4711:0"
    return {
        "daemon": "00000000-0000-4000-8000-000000000001",
        "name": "crm-riyadh",
        "version": "0.1.0",
        "started_at": ago(days=6, hours=3),
        "waiting": 4,
        "parked": 1,
        "oldest_seconds": 7,
        "polled_at": ago(seconds=20),
        "leads_compared_at": ago(hours=5),
        "leads_count": 18_412,
        "orders_compared_at": ago(hours=5),
        "orders_count": 2_306,
        "sources": [
            {**meta, "account": "102030405060708", "state": "ok", "since": ago(days=2)},
            {**meta, **refused, "account": "102030405060709", "state": "denied", "since": ago(minutes=42)},
            {"source": "tiktok", "kind": "tiktok", "state": "ok", "received_at": ago(hours=1)},
            {"source": "website", "kind": "form", "state": "ok", "received_at": ago(minutes=2)},
        ],
        "forms": [
            {**form, "day": day[0], "platform": 61, "odoo": 60},
            {**form, "day": day[1], "platform": 214, "odoo": 214},
            {**form, "day": day[2], "platform": 187, "odoo": 187},
        ],
        "parked_jobs": [["push", key, 1]],
    }


def parked_job():
    values = {
        "name": {"plain": "Villa, Al Narjis"},
        "contact_name": {"plain": "سارة العتيبي"},
        "phone": {"plain": "+966501234567"},
        "email_from": {"plain": "sara@example.com"},
        "campaign_id": {"lookup": {"kind": "campaign", "key": "Q4 villas"}},
    }
    return {
        "kind": "push",
        "key": "website:lead:4711:0",
        "state": "parked",
        "job": 4711,
        "tries": 1,
        "source": "website",
        "summary": "crm.lead upsert website:4711",
        "error": "ValidationError: A lead of this project needs a budget.",
        "created_at": ago(minutes=12),
        "parked_at": ago(minutes=12),
        "payload": json.dumps(values, ensure_ascii=False, indent=2),
        "editable": True,
    }


class Browser:
    """Chromium, by its own protocol."""

    def __init__(self, folder):
        names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        program = next(filter(None, map(shutil.which, names)), None) or sys.exit("there is no Chromium")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-allow-origins=*"]
        self.process = subprocess.Popen(
            [program, *options, "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"],
            stderr=subprocess.DEVNULL,
        )
        port = Path(folder, "DevToolsActivePort")
        until(port.exists, "Chromium starts")
        until(lambda: port.read_text().strip(), "Chromium has a port")
        self.address = f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json"
        self.ids = itertools.count(1)
        self.socket = None

    def open(self, size, height=None):
        """A tab of its own: what was open before may not want to be left."""
        before = self.socket
        request = urllib.request.Request(f"{self.address}/new?about:blank", method="PUT")
        tab = json.load(urllib.request.urlopen(request, timeout=30))
        self.socket = websocket.create_connection(tab["webSocketDebuggerUrl"], timeout=30)
        if before:
            before.send(json.dumps({"id": next(self.ids), "method": "Page.close"}))
            before.close()
        width, usual = SIZES[size]
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height or usual, deviceScaleFactor=1, mobile=False
        )

    def send(self, method, **params):
        number = next(self.ids)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == number:
                return answer.get("result", {})

    def run(self, code):
        result = self.send("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        return result.get("result", {}).get("value")

    def go(self, url, seen):
        self.send("Page.navigate", url=url)
        until(lambda: self.run(f"!!document.querySelector({json.dumps(seen)})"), f"{seen} on {url}")

    def shoot(self, path, toasts=False):
        # Toasts are of this moment; and images and fonts come late.
        toasts or self.run("document.querySelectorAll('.o_notification_manager').forEach((one) => one.remove())")
        time.sleep(1)
        image = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(image))
        print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path, f"{path.stat().st_size // 1024} kB")


def until(check, what):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(0.1)
    sys.exit(f"never happened: {what}")


def changes(call):
    """A lead with a history; returns its id."""
    stages = call("boss", "crm.stage", "search", [], 0, 3)
    values = {"name": "Villa automation", "contact_name": "سارة العتيبي", "phone": "+966501234567", "city": "Riyadh"}
    [sales] = call("boss", "res.users", "search", [["login", "=", "sales"]])
    operation = {"key": "website:lead:1:0", "model": "crm.lead", "action": "upsert", "ref": "website:1"}
    values = {**values, "type": "opportunity", "user_id": sales, "stage_id": stages[0]}
    [made] = json.loads(call("daemon", "g_assistant.bridge", "apply", json.dumps([{**operation, "values": values}])))
    lead = made["id"]
    call("sales", "crm.lead", "write", [lead], {"stage_id": stages[1], "expected_revenue": 45_000})
    call("sales", "crm.lead", "write", [lead], {"phone": "+966509998888", "priority": "2"})
    update = {**operation, "key": "website:lead:1:1", "values": {"city": "Diriyah"}}
    call("daemon", "g_assistant.bridge", "apply", json.dumps([update]))
    call("boss", "crm.lead", "write", [lead], {"stage_id": stages[2]})
    call("daemon", "g_assistant.bridge", "events")
    return lead


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs/screens").resolve()
    template, _ = odoo_env("template", "g_connector", "--modules", "g_assistant_connector", "--addons", str(ROOT / "odoo-addon"))
    odoo_env("newdb", DATABASE, "--template", template["TEMPLATE"], "--replace")
    groups = {"daemon": "g_assistant_connector.group_daemon", "boss": "base.group_system,sales_team.group_sale_manager"}
    groups["sales"] = "sales_team.group_sale_salesman"
    for login, group in groups.items():
        odoo_env("user", DATABASE, login, login * 3, "--groups", group)
    shell(
        "env['res.lang']._activate_lang('ar_001')\n"
        "env['ir.module.module'].search([('state', '=', 'installed')])._update_translations(['ar_001'])\n"
        "env.cr.commit()\n"
    )
    told = shell(f"exec(open({str(HERE / 'customer.py')!r}).read())\n")
    customer = next(line for line in told.splitlines() if "CUSTOMER=" in line).split("CUSTOMER=")[1]
    server, _ = odoo_env("serve", "--name", DATABASE, "--db", DATABASE, "--restart")
    url = server["URL"]

    def call(login, model, method, *arguments):
        user = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/common").authenticate(DATABASE, login, login * 3, {})
        proxy = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/object", allow_none=True)
        return proxy.execute_kw(DATABASE, user, login * 3, model, method, list(arguments))

    # All is well at first.
    state = report()
    call("daemon", "g_assistant.bridge", "report", json.dumps({**state, "parked": 0, "sources": [], "parked_jobs": []}))
    [connection] = call("boss", "g_assistant.connection", "search", [])
    changed = changes(call)

    def trouble():
        call("daemon", "g_assistant.bridge", "report", json.dumps(state))
        call("daemon", "g_assistant.bridge", "operations", state["daemon"], json.dumps([parked_job()]))

    def apply(*operations):
        results = json.loads(call("daemon", "g_assistant.bridge", "apply", json.dumps(operations)))
        wrong = [one for one in results if one["status"] not in ("created", "updated")]
        return [one["id"] for one in results] if not wrong else sys.exit(f"not applied: {wrong}")

    [boss] = call("boss", "res.users", "search", [["login", "=", "boss"]])
    flags = {one["code"]: one["id"] for one in call("boss", "g_assistant.flag", "search_read", [], ["code"])}
    [villa, flat, _spam, _office, jeddah] = apply(*leads.operations(boss, flags))
    call("boss", "crm.lead", "message_post", [flat])
    # Of one person, so not in one call: the second is compared with what the first one made.
    _attached, [asked] = (apply(one) for one in leads.again(villa, boss))
    for lead, minutes in ((villa, 3), (jeddah, 47), (asked, 190)):
        moved = f"UPDATE crm_lead SET create_date = create_date - {minutes} * interval '1 minute' WHERE id = {lead}"
        odoo_env("psql", DATABASE, "-qc", moved)

    action = "g_assistant_connector.g_assistant"
    screens = {
        "connection": (f"{url}/odoo/action-{action}_connection_action/{connection}", ".o_form_view .o_data_row"),
        "parked": (f"{url}/odoo/action-{action}_parked_action/1", ".o_form_view .o_field_widget[name=error]"),
        "dashboard": (f"{url}/odoo/action-{action}_dashboard_action", "[data-block=week] td"),
        "campaigns": (f"{url}/odoo/action-{action}_campaign_report_action", ".o_pivot td"),
        "lead": (f"{url}/odoo/crm/{villa}", ".o_form_view .o_g_assistant_score"),
        "lead-asked": (f"{url}/odoo/crm/{asked}", ".o_form_view .alert"),
        "pipeline": (f"{url}/odoo/crm", ".o_kanban_record .o_g_assistant_score"),
        "leads": (f"{url}/odoo/action-crm.crm_lead_all_leads", ".o_data_row .o_g_assistant_score, .o_kanban_record .o_g_assistant_score"),
        "customer": (f"{url}/odoo/{customer}/action-{action}_person_action", ".o_g_assistant_entry"),
        "conversation": (f"{url}/odoo/{customer}/action-{action}_thread_action", ".o_g_assistant_entry"),
        "history": (f"{url}/odoo/crm/{changed}/action-{action}_history_action_lead", ".o_data_row, .o_kanban_record"),
        "restore": (f"{url}/odoo/crm/{changed}/action-{action}_history_action_lead", ".o_data_row, .o_kanban_record"),
        "settings": (f"{url}/odoo/settings#g_assistant_connector", ".o_setting_container"),
    }
    wanted = sys.argv[2:] or list(screens)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)

        def take(names):
            for short, language in LANGUAGES.items():
                call("boss", "res.users", "write", [boss], {"lang": language})
                # The first page in a language builds its style sheets while it is shown.
                browser.open("wide")
                browser.go(*screens["connection"])
                for size in SIZES:
                    for name in names:
                        address, seen = screens[name]
                        if name == "settings" and size == "phone":
                            continue
                        browser.open(size, HEIGHTS.get(name, {}).get(size))
                        browser.go(address, seen)
                        if name == "restore":
                            browser.run("[...document.querySelectorAll('button[name=action_restore]')].at(-1).click()")
                            found = "!!document.querySelector('.modal .o_field_widget[name=line_ids]')"
                            until(lambda found=found: browser.run(found), "the wizard is there")
                        if name == "settings":
                            browser.run("document.querySelector('.tab[data-key=g_assistant_connector]').click()")
                            time.sleep(1)
                            browser.run("document.querySelector('#g_assistant_health, [name=g_assistant_alert_screen]').scrollIntoView({block: 'center'})")
                        browser.shoot(folder / f"{name}-{short}-{size}.png")
                        if name == "lead":
                            browser.run("document.querySelector('[name=g_assistant].nav-link').click()")
                            browser.run("document.querySelector('[name=g_assistant].nav-link').scrollIntoView()")
                            browser.shoot(folder / f"lead-origin-{short}-{size}.png")
                            browser.run("document.querySelector('[name=g_assistant_duplicate_ids]').scrollIntoView({block: 'center'})")
                            browser.shoot(folder / f"lead-known-{short}-{size}.png")

        try:
            browser.open("wide")
            browser.go(f"{url}/web/login", "input[name=login]")
            browser.run(
                "document.querySelector('input[name=login]').value = 'boss';"
                "document.querySelector('input[name=password]').value = 'bossbossboss';"
                "document.querySelector('.oe_login_form button[type=submit]').click()"
            )
            until(lambda: browser.run("!!document.querySelector('.o_web_client')"), "logged in")
            mark = "!!document.querySelector('.o_g_assistant_attention button')"
            until(lambda: browser.run("!!document.querySelector('.o_g_assistant_attention')"), "the bar is there")
            browser.run(mark) and sys.exit("there is a mark although all is well")
            # The page is connected to the bus a moment after it is there.
            time.sleep(5)
            began = time.monotonic()
            trouble()
            until(lambda: browser.run(mark), "the mark appears on a page that is open")
            print(f"the mark appeared after {time.monotonic() - began:.1f} s")
            began = time.monotonic()
            apply(leads.hot(boss))
            applied = time.monotonic() - began
            notice = "[...document.querySelectorAll('.o_g_assistant_hot_lead')].find((one) => one.textContent.includes('Al Malqa'))"
            until(lambda: browser.run(f"!!{notice}"), "the notice of a hot lead appears")
            print(f"a hot lead: applied in {applied:.2f} s, on the screen {time.monotonic() - began:.2f} s after it was sent")
            browser.shoot(folder / "hot-lead-en-wide.png", toasts=True)
            browser.run(f"{notice}.querySelector('.o_notification_buttons button').click()")
            title = "document.querySelector('.o_form_view [name=name] textarea')?.value"
            until(lambda: "Al Malqa" in (browser.run(title) or ""), "the notice opens its lead")
            take([name for name in wanted if name not in OF_A_MONTH])
            shell((HERE / "month.py").read_text())
            take([name for name in wanted if name in OF_A_MONTH])
        finally:
            browser.process.terminate()
            browser.process.wait()
    odoo_env("stop", "--name", DATABASE)
    odoo_env("dropdb", DATABASE)


main()

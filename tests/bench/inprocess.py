"""Odoo without any protocol: the limits that the daemon is measured against.

Run as ``odoo-env python inprocess.py DATABASE LOGIN [ADDONS]``; commands are the functions named ``do_…``.
Each transaction has a cursor and an environment of its own, as a request has. Times include the commit.
"""

import json
import sys
import time

import loop
from lxml import etree
from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.tools import config

# The contexts of the addon's applier (models/g_assistant_applier.py), and that of an ordinary call.
LIVE = {"mail_create_nosubscribe": True, "mail_create_nolog": True}
CONTEXTS = {
    "default": {},
    "live": LIVE,
    "silent": {**LIVE, "tracking_disable": True, "mail_notrack": True, "mail_auto_subscribe_no_notify": True},
}

# What the fields of a webhook are called in Odoo.
TEXTS = {
    "name": "name",
    "contact_name": "contact_name",
    "partner_name": "company",
    "email_from": "email",
    "phone": "phone",
    "city": "city",
    "description": "message",
}
NAMED = {
    "source_id": ("utm.source", "source"),
    "medium_id": ("utm.medium", "medium"),
    "campaign_id": ("utm.campaign", "campaign"),
}

database, login = sys.argv[1:3]
options = ["--log-level=error", "-d", database]
if len(sys.argv) > 3:
    options.append(f"--addons-path={sys.argv[3]}")
config.parse_config(options, setup_logging=True)
registry = Registry(database)
with registry.cursor() as cursor:
    found = api.Environment(cursor, SUPERUSER_ID, {})["res.users"].search([("login", "=", login)])
    uid = found.id


class Transaction:
    """``with Transaction() as env``: commits at the end."""

    def __init__(self, user=None):
        self._user = user or uid

    def __enter__(self):
        registry.check_signaling()
        self._cursor = registry.cursor()
        return api.Environment(self._cursor, self._user, {})

    def __exit__(self, kind, _value, _trace):
        if kind is None:
            self._cursor.commit()
        self._cursor.close()


def find_or_create(env, model, name):
    records = env[model].search([("name", "=", name)], limit=1)
    return (records or env[model].create({"name": name})).id


def resolve(leads):
    """The leads as values of ``create``, with names as ids: made beforehand, so that it costs the baseline nothing."""
    known = {}
    with Transaction(SUPERUSER_ID) as env:

        def id_of(model, name):
            if (model, name) not in known:
                known[model, name] = find_or_create(env, model, name)
            return known[model, name]

        country = env["res.country"].search([("code", "=", "SA")]).id
        rows = []
        for lead in leads:
            row = {field: lead[key] for field, key in TEXTS.items()}
            row.update({field: id_of(model, lead[key]) for field, (model, key) in NAMED.items()})
            row["tag_ids"] = [(6, 0, [id_of("crm.tag", name) for name in lead["tags"]])]
            # As the applier: no salesperson, and therefore a company.
            row.update(country_id=country, user_id=False, company_id=env.company.id)
            rows.append(row)
        return rows


def read_leads(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def do_hello(_request):
    return {"uid": uid}


def do_create(request):
    """All leads of a file in batches, one commit each."""
    rows = resolve(read_leads(request["leads"]))
    context, size = CONTEXTS[request["context"]], request["batch"]
    began = time.perf_counter()
    for first in range(0, len(rows), size):
        with Transaction() as env:
            env["crm.lead"].with_context(**context).create(rows[first : first + size])
    return {"leads": len(rows), "seconds": time.perf_counter() - began}


def do_read(request):
    """All leads in pages, archived ones too, by id as the daemon reads them."""
    fields = request["fields"]
    count, after = 0, 0
    began = time.perf_counter()
    while True:
        with Transaction() as env:
            leads = env["crm.lead"].with_context(active_test=False)
            rows = leads.search_read([("id", ">", after)], fields, order="id", limit=request["page"])
        count += len(rows)
        if len(rows) < request["page"]:
            return {"records": count, "seconds": time.perf_counter() - began}
        after = rows[-1]["id"]


def do_fields(_request):
    """The fields that the addon hands out."""
    with Transaction() as env:
        return {"fields": json.loads(env["g_assistant.bridge"].hello())["fields"]["crm.lead"]}


def do_saves(request):
    """One transaction per save: milliseconds of ``create`` and of each kind of ``write``."""
    rows = resolve(read_leads(request["leads"]))
    # What people change: a field that Odoo tracks in the chatter, and fields that it does not track.
    tracked, untracked = [], []
    creates, ids = [], []
    for row in rows:
        began = time.perf_counter()
        with Transaction() as env:
            ids.append(env["crm.lead"].create([dict(row)]).id)
        creates.append((time.perf_counter() - began) * 1000)
    for number, lead in enumerate(ids):
        began = time.perf_counter()
        with Transaction() as env:
            env["crm.lead"].browse(lead).write({"street": f"King Fahd Road {number}", "city": "Abha"})
        untracked.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        with Transaction() as env:
            env["crm.lead"].browse(lead).write({"expected_revenue": 1000.0 + number})
        tracked.append((time.perf_counter() - began) * 1000)
    return {"create": creates, "write_untracked": untracked, "write_tracked": tracked}


def do_save_many(request):
    """The same with all leads of the file in one transaction: milliseconds."""
    rows = resolve(read_leads(request["leads"]))
    began = time.perf_counter()
    with Transaction() as env:
        ids = env["crm.lead"].create([dict(row) for row in rows]).ids
    created = time.perf_counter()
    with Transaction() as env:
        env["crm.lead"].browse(ids).write({"street": "King Fahd Road", "city": "Abha"})
    untracked = time.perf_counter()
    with Transaction() as env:
        env["crm.lead"].browse(ids).write({"expected_revenue": 2000.0})
    tracked = time.perf_counter()
    return {
        "create": (created - began) * 1000,
        "write_untracked": (untracked - created) * 1000,
        "write_tracked": (tracked - untracked) * 1000,
    }


def do_enqueue(request):
    """One job of queue_job per lead; they begin when this commits."""
    rows = resolve(read_leads(request["leads"]))
    began = time.perf_counter()
    with Transaction() as env:
        for row in rows:
            env["crm.lead"].with_context(**CONTEXTS[request["context"]]).with_delay().create([row])
    return {"leads": len(rows), "seconds": time.perf_counter() - began}


def do_hook(_request):
    """Odoo's own webhook: the rule creates the lead from the payload. Its address."""
    getter = """model.create({
        'name': payload.get('name'), 'contact_name': payload.get('contact_name'),
        'partner_name': payload.get('company'), 'email_from': payload.get('email'),
        'phone': payload.get('phone'), 'city': payload.get('city'), 'description': payload.get('message'),
        'user_id': False})"""
    with Transaction(SUPERUSER_ID) as env:
        rule = env["base.automation"].create(
            {
                "name": "bench",
                "model_id": env["ir.model"]._get_id("crm.lead"),
                "trigger": "on_webhook",
                "record_getter": getter,
            }
        )
        return {"path": f"/web/hook/{rule.webhook_uuid}"}


def do_dashboards(request):
    """Milliseconds and queries of each block of the dashboard, and of a plain read_group over the same leads."""
    blocks = "overview pipeline campaigns flow week response team quality".split()
    answers = {"read_group": [], **{name: [] for name in blocks}}
    queries = {}
    for _round in range(request["rounds"]):
        for name, times in answers.items():
            with Transaction() as env:
                leads = env["crm.lead"].with_context(active_test=False)
                dashboard = env["g_assistant.dashboard"]
                before, began = env.cr.sql_log_count, time.perf_counter()
                if name == "read_group":
                    leads._read_group([], ["source_id"], ["__count", "expected_revenue:sum"])
                else:
                    json.dumps(dashboard.block(name, {"period": request["period"]}), default=str)
                times.append((time.perf_counter() - began) * 1000)
                queries[name] = env.cr.sql_log_count - before
    return {"ms": answers, "queries": queries}


def specification(model, arch):
    """What the web client asks for a view: its fields, by name those that they point to."""
    wanted = {}
    for node in arch.iter("field"):
        # Not the fields of a list within a form, nor columns that nobody has asked for.
        if any(above.tag == "field" for above in node.iterancestors()) or node.get("optional") == "hide":
            continue
        field = model._fields[node.get("name")]
        part = {}
        if field.type == "many2one":
            part = {"fields": {"display_name": {}}}
        elif field.type in ("one2many", "many2many"):
            part = {"fields": {"id": {}, "display_name": {}}, "limit": 40}
        wanted[field.name] = part
    return wanted


def do_screens(request):
    """Milliseconds and queries of what the list, kanban and form of CRM read, a request each."""
    views = {
        "list": "crm.crm_case_tree_view_oppor",
        "kanban": "crm.crm_case_kanban_view_leads",
        "form": "crm.crm_lead_view_form",
    }
    answers, queries = {}, {}
    for kind, xmlid in views.items():
        with Transaction() as env:
            view = env.ref(xmlid)
            arch = env["crm.lead"].get_view(view.id, kind)["arch"]
            wanted = specification(env["crm.lead"], etree.fromstring(arch))
            some = env["crm.lead"].search([("type", "=", "opportunity")], limit=request["times"]).ids
        answers[kind] = []
        for lead in some:
            with Transaction() as env:
                leads = env["crm.lead"]
                before, began = env.cr.sql_log_count, time.perf_counter()
                if kind == "form":
                    leads.browse(lead).web_read(wanted)
                else:
                    leads.web_search_read([("type", "=", "opportunity")], wanted, limit=80)
                answers[kind].append((time.perf_counter() - began) * 1000)
                queries[kind] = env.cr.sql_log_count - before
    return {"ms": answers, "queries": queries}


def do_secret(_request):
    """A secret with which the addon signs its events."""
    with Transaction(SUPERUSER_ID) as env:
        return {"secret": env["g_assistant.secret"].generate()}


def do_param(request):
    """Set a system parameter."""
    with Transaction(SUPERUSER_ID) as env:
        env["ir.config_parameter"].set_param(request["key"], request["value"])
    return {}


loop.serve({name[3:]: function for name, function in list(globals().items()) if name.startswith("do_")})

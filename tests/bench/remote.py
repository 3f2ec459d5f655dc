"""Odoo from outside, as a script with odoorpc or xmlrpc.client does it: what the daemon saves people from.

Run as ``odoo-env python remote.py URL DATABASE LOGIN SECRET``; commands are the functions named ``do_…``.
"""

import json
import sys
import time
import urllib.request
import xmlrpc.client

import loop

url, database, login, secret = sys.argv[1:5]
uid = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/common").authenticate(database, login, secret, {})
models = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/object")


def xmlrpc_call(model, method, args, kwargs):
    return models.execute_kw(database, uid, secret, model, method, args, kwargs)


def jsonrpc_call(model, method, args, kwargs):
    arguments = [database, uid, secret, model, method, args, kwargs]
    params = {"service": "object", "method": "execute_kw", "args": arguments}
    body = json.dumps({"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}).encode()
    request = urllib.request.Request(f"{url}/jsonrpc", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["result"]


CALLS = {"xmlrpc": xmlrpc_call, "jsonrpc": jsonrpc_call}


def do_hello(_request):
    return {"uid": uid}


def do_create(request):
    """One call per lead."""
    with open(request["leads"], encoding="utf-8") as file:
        leads = json.load(file)

    def ids_of(model, names):
        found = {}
        for name in sorted(names):
            ids = xmlrpc_call(model, "search", [[("name", "=", name)]], {"limit": 1})
            found[name] = ids[0] if ids else xmlrpc_call(model, "create", [{"name": name}], {})
        return found

    sources = ids_of("utm.source", {lead["source"] for lead in leads})
    media = ids_of("utm.medium", {lead["medium"] for lead in leads})
    campaigns = ids_of("utm.campaign", {lead["campaign"] for lead in leads})
    tags = ids_of("crm.tag", {name for lead in leads for name in lead["tags"]})
    country = xmlrpc_call("res.country", "search", [[("code", "=", "SA")]], {})[0]
    began = time.perf_counter()
    for lead in leads:
        values = {
            "name": lead["name"],
            "contact_name": lead["contact_name"],
            "partner_name": lead["company"],
            "email_from": lead["email"],
            "phone": lead["phone"],
            "city": lead["city"],
            "description": lead["message"],
            "country_id": country,
            "source_id": sources[lead["source"]],
            "medium_id": media[lead["medium"]],
            "campaign_id": campaigns[lead["campaign"]],
            "tag_ids": [(6, 0, [tags[name] for name in lead["tags"]])],
            "user_id": False,
        }
        xmlrpc_call("crm.lead", "create", [values], {})
    return {"leads": len(leads), "seconds": time.perf_counter() - began}


def do_read(request):
    """All leads in pages, archived ones too."""
    call, count, after = CALLS[request["protocol"]], 0, 0
    context = {"active_test": False}
    began = time.perf_counter()
    while True:
        arguments = {"fields": request["fields"], "order": "id", "limit": request["page"], "context": context}
        rows = call("crm.lead", "search_read", [[("id", ">", after)]], arguments)
        count += len(rows)
        if len(rows) < request["page"]:
            return {"records": count, "seconds": time.perf_counter() - began}
        after = rows[-1]["id"]


loop.serve({name[3:]: function for name, function in list(globals().items()) if name.startswith("do_")})

"""Small jobs that need Odoo's own registry: settings, users, API keys, assets.

Run by `odoo-env`, which sets PYTHONPATH and ODOO_RC. Results go to stdout,
everything else to stderr.
"""

import argparse
import contextlib
import datetime
import io
import sys
import time

import psycopg2
from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.tools import config

# Port 9 ("discard") of this host: refused at once, so that no test ever waits
# for, or talks to, a service outside.
NOWHERE = "http://127.0.0.1:9"
# How often a transaction is tried that meets another.
ATTEMPTS = 5


def quiet(env, _args):
    """Stop everything that would call outside by itself."""
    params = env["ir.config_parameter"].sudo()
    # CRM would otherwise send the e-mail address of each new lead to the IAP
    # service, from a cron triggered by the create.
    params.set_param("crm.iap.lead.enrich.setting", "manual")
    for key in (
        "enrich.endpoint",
        "iap.endpoint",
        "iap.partner_autocomplete.endpoint",
        "reveal.endpoint",
        "sms.endpoint",
        "snailmail.endpoint",
    ):
        params.set_param(key, NOWHERE)
    for xmlid in (
        "crm_iap_enrich.ir_cron_lead_enrichment",
        "mail.ir_cron_module_update_notification",  # publisher warranty
    ):
        cron = env.ref(xmlid, raise_if_not_found=False)
        if cron:
            cron.active = False


def user(env, args):
    """Create the user, or bring an existing one to the same state."""
    groups = [env.ref(xmlid).id for xmlid in args.groups.split(",") if xmlid]
    if not groups:
        groups = [env.ref("base.group_user").id]
    users = env["res.users"].with_context(
        no_reset_password=True, active_test=False, mail_create_nosubscribe=True
    )
    values = {
        "password": args.password,
        "active": True,
        "group_ids": [(6, 0, groups)],
    }
    found = users.search([("login", "=", args.login)], limit=1)
    if found:
        found.write(values)
    else:
        email = args.login if "@" in args.login else f"{args.login}@example.com"
        found = users.create(
            {**values, "login": args.login, "name": args.name or args.login, "email": email}
        )
    print(f"USER_ID={found.id}")


def apikey(env, args):
    """Print a new API key, valid for every RPC of that user."""
    found = env["res.users"].search([("login", "=", args.login)], limit=1)
    if not found:
        sys.exit(f"odoo-env: no user with the login {args.login!r} in this database")
    # In sudo Odoo allows a longer validity than the user's groups do; a test
    # key need not outlive the day, but a demo may stay up for weeks.
    expiry = None
    if args.days:
        expiry = datetime.datetime.now() + datetime.timedelta(days=args.days)
    keys = env(user=found.id, su=True)["res.users.apikeys"]
    print(keys._generate(None, args.name, expiry))


def assets(env, _args):
    """Build what the login page and the backend load, so that copies have it."""
    qweb = env["ir.qweb"]
    for bundle, css, js in (
        ("web.assets_frontend_minimal", False, True),
        ("web.assets_frontend", True, False),
        ("web.assets_frontend_lazy", False, True),
        ("web.assets_web", True, True),
        ("web.assets_web_print", True, False),
    ):
        found = qweb._get_asset_bundle(bundle, css=css, js=js)
        if css:
            found.css()
        if js:
            found.js()


def main():
    parser = argparse.ArgumentParser(prog="odoo_helper.py")
    parser.add_argument("--addons", default="", help="addons path, comma separated")
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("quiet")
    command.set_defaults(run=quiet)
    command.add_argument("db")

    command = commands.add_parser("assets")
    command.set_defaults(run=assets)
    command.add_argument("db")

    command = commands.add_parser("user")
    command.set_defaults(run=user)
    command.add_argument("db")
    command.add_argument("login")
    command.add_argument("password")
    command.add_argument("--groups", default="")
    command.add_argument("--name", default="")

    command = commands.add_parser("apikey")
    command.set_defaults(run=apikey)
    command.add_argument("db")
    command.add_argument("login")
    command.add_argument("name", nargs="?", default="g-assistant-test")
    command.add_argument("--days", type=int, default=0)

    args = parser.parse_args()
    options = ["--log-level=warn", "-d", args.db]
    if args.addons:
        options.append(f"--addons-path={args.addons}")
    config.parse_config(options, setup_logging=True)
    registry = Registry(args.db)
    for attempt in range(ATTEMPTS):
        told = io.StringIO()
        try:
            with registry.cursor() as cr, contextlib.redirect_stdout(told):
                env = api.Environment(cr, SUPERUSER_ID, {})
                args.run(env, args)
                # What the caller prints must be true for other processes at once.
                env.flush_all()
                cr.commit()
            break
        except psycopg2.errors.SerializationFailure:
            # A server that runs may write at the same moment, as any request of it may.
            registry.clear_all_caches()
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.2 * 2**attempt)
    registry.signal_changes()
    print(told.getvalue(), end="")


if __name__ == "__main__":
    main()

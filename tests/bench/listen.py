"""Tells when leads become visible: PostgreSQL notifies at the commit, to the microsecond as it gets here.

Run as ``odoo-env python listen.py SOCKET-FOLDER PORT DATABASE``; prints ``MICROSECONDS KIND WHICH`` for each lead
that is created (``i``, its e-mail address) or written (``u``, its id).
"""

import select
import sys
import time

import psycopg2

TRIGGER = """
create or replace function bench_told() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        perform pg_notify('bench', 'i ' || coalesce(new.email_from, ''));
    else
        perform pg_notify('bench', 'u ' || new.id);
    end if;
    return null;
end $$;
create or replace trigger bench_told after insert or update on crm_lead for each row execute function bench_told();
listen bench;
"""

folder, port, database = sys.argv[1:4]
connection = psycopg2.connect(host=folder, port=port, dbname=database, user="odoo")
connection.autocommit = True
connection.cursor().execute(TRIGGER)
print("ready", flush=True)
while True:
    select.select([connection], [], [])
    connection.poll()
    now = int(time.time() * 1_000_000)
    lines = [f"{now} {notice.payload}" for notice in connection.notifies]
    connection.notifies.clear()
    if lines:
        print("\n".join(lines), flush=True)

//! Where a scenario plays: a database with witnesses in it, a daemon, and what the audit needs from both.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::{
    audit::{Change, Event, Evidence, Save, Verdict},
    load::Load,
    progress::Progress,
    support::{
        daemon::{Daemon, WEBSITE_SECRET},
        odoo::{Database, Person, Server, Template, until_within},
    },
};

/// A contact that no lead may have, by a constraint in the database.
pub const FORBIDDEN: &str = "forbidden";

/// What of a lead the audit looks at; the addon tells of changes of each of them.
const FIELDS: [&str; 8] = ["name", "contact_name", "partner_name", "email_from", "phone", "city", "active", "stage_id"];

/// Events that wait, and changes that no event was made of yet.
const PENDING: &str = "select count(*) + coalesce((xpath('//n/text()', query_to_xml(
        'select count(*) as n from ' || to_regclass('g_assistant_change'), true, false, '')))[1]::text::int, 0)
    from g_assistant_event where state = 'pending'";

/// What all scenarios share.
pub struct World {
    /// A database with the addon, the daemon's user and the witnesses; each scenario gets a copy.
    pattern: Database,
    /// A server for all databases that are not torn down.
    pub server: Server,
    pub long: bool,
    pub seed: u64,
    /// Databases that are being dropped while the next scenario plays.
    dropping: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for World {
    fn drop(&mut self) {
        for dropping in self.dropping.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = dropping.join();
        }
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // A scenario that fails keeps its database for the one who looks into it.
        if !std::thread::panicking() {
            let database = self.database.take();
            let dropping = std::thread::spawn(move || drop(database));
            self.world.dropping.lock().unwrap_or_else(PoisonError::into_inner).push(dropping);
        }
    }
}

impl World {
    pub fn new(long: bool, seed: u64) -> World {
        let server = Server::shared().clone();
        let pattern = Database::fresh(Template::Addon);
        pattern.sql(&witnesses());
        World { pattern, server, long, seed, dropping: Mutex::default() }
    }

    /// One of two sizes.
    pub fn size<T>(&self, short: T, long: T) -> T {
        if self.long { long } else { short }
    }
}

/// One scenario's own part of the world.
pub struct Stage<'a> {
    pub world: &'a World,
    pub name: &'static str,
    pub database: Database,
    pub dice: StdRng,
    pub progress: Progress,
    pub load: Load,
    /// Whether the addon sends and the audit counts its events.
    pub events: bool,
    /// Leads that people removed.
    pub removed: std::collections::BTreeSet<String>,
}

impl<'a> Stage<'a> {
    pub fn new(world: &'a World, name: &'static str) -> Stage<'a> {
        Stage::on(world, name, world.pattern.copy(&format!("torture_{}_{name}", std::process::id())))
    }

    /// On an Odoo without the addon, which has no events to audit.
    pub fn without_addon(world: &'a World, name: &'static str) -> Stage<'a> {
        let mut stage = Stage::on(world, name, Database::fresh(Template::Plain));
        stage.events = false;
        stage
    }

    fn on(world: &'a World, name: &'static str, database: Database) -> Stage<'a> {
        // Each scenario throws its own dice, so that it plays the same alone.
        let salt = name.bytes().fold(0u64, |salt, byte| salt.wrapping_mul(31).wrapping_add(byte.into()));
        Stage {
            world,
            name,
            database,
            dice: StdRng::seed_from_u64(world.seed ^ salt),
            progress: Progress::new(name),
            load: Load::new(),
            events: true,
            removed: Default::default(),
        }
    }

    /// A daemon on this database, at this address of Odoo.
    pub fn daemon(&self, odoo_url: &str, extra: &str, sections: &str) -> Daemon {
        let daemon = Daemon::configure_at(odoo_url, &self.database, extra, sections);
        daemon.edit("poll_interval = \"2s\"", "poll_interval = \"1s\"");
        daemon
    }

    /// Has the addon send its events to this address.
    pub fn send_events_to(&self, url: &str) {
        let url = format!("{url}/api/webhooks/odoo");
        self.database.sql(&format!(
            "insert into ir_config_parameter (key, value) values ('g_assistant_connector.url', '{url}')
             on conflict (key) do update set value = excluded.value"
        ));
    }

    /// The administrator, at the keyboard of this server.
    pub async fn person(&self, server: &Server) -> Person {
        self.database.admin(server).await
    }

    /// A moment of at most `longest`.
    pub async fn moment(&mut self, shortest: u64, longest: u64) {
        let wait = self.dice.random_range(shortest..longest);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    /// Waits until everything is where it belongs.
    pub async fn settle(&mut self, daemon: &Daemon) {
        let patience = Duration::from_secs(self.world.size(120, 1_800));
        let started = Instant::now();
        self.progress.step("waiting until all is done");
        daemon.drained_within(patience).await;
        if self.events {
            until_within(patience, "the events are delivered", async || {
                (self.database.count(PENDING) == 0).then_some(())
            })
            .await;
        }
        self.progress.step(&format!("all is done after {:.1} s", started.elapsed().as_secs_f64()));
    }

    /// Asks every witness. The daemon may run: what it has committed counts.
    pub fn audit(&self, daemon: &Daemon) -> Verdict {
        let mut evidence = self.ask_odoo();
        ask_store(&daemon.folder.path().join("store.db"), &mut evidence);
        let sent = self.load.sent.lock().unwrap_or_else(PoisonError::into_inner);
        evidence.acknowledged.clone_from(&sent.acknowledged);
        evidence.attempted.clone_from(&sent.attempted);
        evidence.removed.clone_from(&self.removed);
        evidence.judge()
    }

    fn ask_odoo(&self) -> Evidence {
        let fields = FIELDS.map(|field| format!("'{field}', {field}")).join(", ");
        let leads = format!("select contact_name from crm_lead where contact_name like '{}-%'", self.name);
        let records = format!("select id, jsonb_build_object({fields}) as data from crm_lead");
        let mut questions = vec![("in_odoo", leads.as_str()), ("records", records.as_str())];
        if self.events {
            questions.push(("saves", "select lead, before, after from torture_save"));
            let events =
                "select uuid, res_id, kind, data::jsonb as data from g_assistant_event where model = 'crm.lead'";
            questions.push(("events", events));
        }
        let rows = |(name, query): &(&str, &str)| format!("'{name}', (select json_agg(r) from ({query}) r)");
        let questions: Vec<String> = questions.iter().map(rows).collect();
        let answer = self.database.sql(&format!("select json_build_object({})", questions.join(", ")));
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let rows = |name: &str| answer[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |row: &Value, field: &str| row[field].as_str().expect("text").to_owned();
        let number = |row: &Value, field: &str| row[field].as_i64().expect("a number");
        let there = |row: &Value, field: &str| Some(&row[field]).filter(|value| !value.is_null()).map(looked_at);
        Evidence {
            in_odoo: rows("in_odoo").iter().map(|row| text(row, "contact_name")).collect(),
            records: rows("records").iter().map(|row| (number(row, "id"), looked_at(&row["data"]))).collect(),
            saves: rows("saves")
                .iter()
                .map(|row| Save { lead: number(row, "lead"), before: there(row, "before"), after: there(row, "after") })
                .collect(),
            events: rows("events")
                .iter()
                .map(|row| Event {
                    id: text(row, "uuid"),
                    lead: number(row, "res_id"),
                    change: match row["kind"].as_str() {
                        Some("lead.created") => Change::Created,
                        Some("lead.deleted" | "lead.merged") => Change::Deleted,
                        _ => Change::Updated,
                    },
                    data: looked_at(&row["data"]),
                })
                .collect(),
            ..Evidence::default()
        }
    }
}

/// The trigger that writes down what is saved, in the same transaction. That somebody saved nothing new is left out.
fn witnesses() -> String {
    let row = |name: &str| {
        let fields = FIELDS.map(|field| format!("'{field}', {name}.{field}")).join(", ");
        format!("case when {name}.id is null then null else jsonb_build_object({fields}) end")
    };
    format!(
        "alter table crm_lead add constraint torture_forbidden check (contact_name <> '{FORBIDDEN}');
         create table torture_save (tx xid8, lead integer, before jsonb, after jsonb, primary key (tx, lead));
         create function torture_saved() returns trigger language plpgsql as $$ begin
             if tg_op = 'UPDATE' and to_jsonb(new) - 'write_date' - 'write_uid' = to_jsonb(old) - 'write_date' - 'write_uid'
             then return null; end if;
             insert into torture_save
             values (pg_current_xact_id(), coalesce(new.id, old.id), {before}, {after})
             on conflict (tx, lead) do update set after = excluded.after;
             return null;
         end $$;
         create trigger torture_saved after insert or update or delete on crm_lead
             for each row execute function torture_saved();
         insert into g_assistant_secret (value) values ('{WEBSITE_SECRET}');",
        before = row("old"),
        after = row("new"),
    )
}

fn ask_store(path: &Path, evidence: &mut Evidence) {
    let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the store opens");
    store.busy_timeout(Duration::from_secs(10)).expect("set");
    let texts = |query: &str| -> Vec<String> {
        let mut query = store.prepare(query).expect("a query");
        let rows = query.query_map([], |row| row.get(0)).expect("rows");
        rows.collect::<Result<_, _>>().expect("text")
    };
    evidence.integrity = texts("PRAGMA integrity_check").join("; ");
    evidence.deliveries = texts("SELECT key FROM delivery");
    evidence.stored = texts("SELECT id FROM change WHERE model = 'crm.lead'");
    evidence.unfinished = texts(
        "SELECT kind || ' ' || key || ' is ' || state || ': ' || coalesce(error, '') FROM job WHERE state NOT IN ('done', 'discarded')
         UNION ALL SELECT 'delivery ' || key || ' awaits intake' FROM delivery WHERE awaits_intake = 1",
    );
    let mirror =
        texts("SELECT json_object('id', id, 'data', json(data)) FROM mirror WHERE model = 'crm.lead' AND deleted = 0");
    evidence.mirror = mirror
        .iter()
        .map(|row| {
            let row: Value = serde_json::from_str(row).expect("JSON");
            (row["id"].as_i64().expect("a number"), looked_at(&row["data"]))
        })
        .collect();
}

/// The fields that count, in their order.
fn looked_at(data: &Value) -> Value {
    FIELDS.iter().map(|&field| (field.to_owned(), data[field].clone())).collect::<serde_json::Map<_, _>>().into()
}

/// What SQLite says of a store.
pub fn integrity(path: &Path) -> String {
    let mut evidence = Evidence::default();
    ask_store(path, &mut evidence);
    evidence.integrity
}

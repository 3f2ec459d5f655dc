//! Leads per second into Odoo: the store is full when the connection comes up, and the last lead ends the time.
//!
//! The baselines create the same leads. In-process creation (`inprocess.py`) is the limit: Odoo's own code on a
//! database without the addon, in batches of 200, each committed, with the context that the addon uses.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{
    Scale, leads,
    odoo::{Database, Template, odoo_env, odoo_env_text, until},
    plot::{Bar, Plot},
    python::{Script, addons},
    report::{self, Measured, median, ratio},
    subject::{self, Odoo, Way, drain},
};

/// One case's leads per second, a sample per round.
struct Case {
    name: &'static str,
    samples: Vec<f64>,
}

pub async fn measure(scale: Scale) -> Measured {
    let (rounds, count) = scale.pick((3, 2000), (1, 400));
    let (few, jobs) = scale.pick((200, 400), (50, 60));
    println!("    preparing databases and servers");
    let plain = Database::fresh(Template::Plain);
    let threaded = Database::fresh(Template::Addon);
    let prefork = Database::fresh(Template::Addon);
    let live = Database::fresh(Template::Addon);
    let queue = QueueJob::start();
    let one = Odoo::serve("bench-one", &[&threaded, &live, &plain], &["--addons", &addons()], &[]);
    let two = Odoo::serve("bench-two", &[&prefork], &["--addons", &addons(), "--workers", "2"], &[]);
    let mut limit = Script::in_process(&plain, &plain.login, "");
    let mut single = Script::remote(&one, &plain);
    let mut on_one = subject::configure(&one.url, &threaded);
    let mut on_two = subject::configure(&two.url, &prefork);
    let mut both_ways = subject::configure(&one.url, &live);
    announce(&live, &both_ways.url, &both_ways.folder.path().join("odoo.secret"));
    for (daemon, database, server) in
        [(&mut on_one, &threaded, &one), (&mut on_two, &prefork, &two), (&mut both_ways, &live, &one)]
    {
        subject::prime(daemon);
        // The first calls fill Odoo's caches.
        drain(daemon, database, &server.url, "warm", 400, Way::Webhooks).await;
    }
    let file = report::folder().join("leads.json");
    let few_file = report::folder().join("leads-few.json");

    let mut cases: Vec<Case> = [
        "in_process",
        "in_process_default_context",
        "daemon_threaded",
        "daemon_threaded_both_ways",
        "xmlrpc_single",
        "daemon_2_workers",
        "daemon_2_workers_backfill",
        "queue_job_2_workers",
    ]
    .map(|name| Case { name, samples: Vec::new() })
    .into();
    for round in 0..rounds {
        println!("    round {} of {rounds}", round + 1);
        let run = format!("p{round}");
        leads::write(&file, &run, count);
        leads::write(&few_file, &format!("f{round}"), few);
        let mut keep = |case: usize, rate: f64| {
            println!("      {}: {rate:.0}/s", cases[case].name);
            cases[case].samples.push(rate);
        };
        let batch = |context| json!({"leads": file, "context": context, "batch": 200});
        let before = limit.rate("create", "leads", batch("live"));
        keep(2, drain(&mut on_one, &threaded, &one.url, &run, count, Way::Webhooks).await);
        keep(3, drain(&mut both_ways, &live, &one.url, &run, count, Way::Webhooks).await);
        keep(4, single.rate("create", "leads", json!({"leads": few_file})));
        // Before and after, so that the limit is that of the whole round.
        let after = limit.rate("create", "leads", batch("live"));
        keep(0, (before + after) / 2.0);
        keep(5, drain(&mut on_two, &prefork, &two.url, &run, count, Way::Webhooks).await);
        keep(6, drain(&mut on_two, &prefork, &two.url, &format!("b{round}"), count, Way::File).await);
        keep(1, limit.rate("create", "leads", batch("default")));
        keep(7, queue.run(&few_file, &format!("q{round}"), jobs).await);
    }
    same_leads(&plain, &threaded);

    let of = |name: &str| &cases.iter().find(|case| case.name == name).expect("a case").samples;
    let against = |subject: &str, baseline: &str| ratio(of(subject), of(baseline));
    let middle = |name: &str| median(of(name));
    let samples: serde_json::Map<String, Value> =
        cases.iter().map(|case| (case.name.to_owned(), json!(case.samples))).collect();
    let (limit, default) = (middle("in_process"), middle("in_process_default_context"));
    Measured {
        samples: json!({
            "rounds": rounds, "leads_each": count, "leads_single": few, "jobs_each": jobs, "batch": 200,
            "leads_per_second": samples,
        }),
        summary: vec![
            ("push_vs_inprocess", against("daemon_threaded", "in_process")),
            ("push_vs_inprocess_2_workers", against("daemon_2_workers", "in_process")),
            (
                "push_backfill_vs_inprocess_2_workers",
                against("daemon_2_workers_backfill", "in_process_default_context"),
            ),
            ("push_vs_single_call", against("daemon_threaded", "xmlrpc_single")),
            ("push_vs_queue_job", against("daemon_2_workers", "queue_job_2_workers")),
            ("push_both_ways_vs_inprocess", against("daemon_threaded_both_ways", "in_process")),
            ("push_2_workers_vs_inprocess_default_context", against("daemon_2_workers", "in_process_default_context")),
            ("push_per_second", middle("daemon_threaded")),
        ],
        plot: Plot {
            title: "Leads into Odoo".to_owned(),
            unit: "leads per second".to_owned(),
            logarithmic: false,
            bars: vec![
                Bar::subject("threaded Odoo", middle("daemon_threaded")).target(0.95 * limit),
                Bar::subject("threaded, events sent back meanwhile", middle("daemon_threaded_both_ways")),
                Bar::subject("two workers", middle("daemon_2_workers")).target(1.6 * limit),
                Bar::subject("two workers, backfill", middle("daemon_2_workers_backfill")).target(4.5 * default),
                Bar::baseline("in-process create, same context", limit),
                Bar::baseline("in-process create, default context", default),
                Bar::baseline("one XML-RPC create per lead", middle("xmlrpc_single")),
                Bar::baseline("queue_job, two workers", middle("queue_job_2_workers")),
            ],
        },
    }
}

/// Has the addon send its events to the daemon.
pub fn announce(database: &Database, daemon_url: &str, secret_file: &std::path::Path) {
    let mut script = Script::in_process(database, "admin", &addons());
    let secret = script.run("secret", json!({}));
    std::fs::write(secret_file, secret["secret"].as_str().expect("a secret")).expect("written");
    let url = format!("{daemon_url}/api/webhooks/odoo");
    script.run("param", json!({"key": "g_assistant_connector.url", "value": url}));
    script.run("param", json!({"key": "g_assistant_connector.enabled", "value": "True"}));
}

/// The baseline must create what the daemon creates: all columns that a lead came with.
fn same_leads(plain: &Database, with_addon: &Database) {
    let query = "select name, contact_name, partner_name, email_from, city, type, user_id, team_id, company_id, \
                 country_id, priority, active, length(description) > 200, \
                 (select count(*) from crm_tag_rel where lead_id = crm_lead.id) \
                 from crm_lead where email_from = 'lead.p0.7@example.com' limit 1";
    assert_eq!(plain.sql(query), with_addon.sql(query), "the baseline creates something else");
}

/// OCA's queue_job, from its package, with an Odoo of its own.
struct QueueJob {
    /// Before its database: fields are dropped in this order.
    _server: Odoo,
    database: Database,
    addons: String,
}

impl QueueJob {
    fn start() -> QueueJob {
        let addons = Self::fetch();
        let folder = addons.to_str().expect("a readable path");
        let template = odoo_env(&["template", "bench_queue", "--modules", "queue_job", "--addons", folder]);
        let database = Database::copy_of(&template["TEMPLATE"], "sales_team.group_sale_salesman_all_leads");
        let options = ["--addons", folder, "--workers", "2", "--", "--load=base,web,queue_job"];
        let server = Odoo::serve("bench-queue", &[&database], &options, &[("ODOO_QUEUE_JOB_CHANNELS", "root:2")]);
        QueueJob { _server: server, database, addons: folder.to_owned() }
    }

    /// The addon is unpacked beside Odoo; what it imports goes to where the rest of Odoo's Python is.
    fn fetch() -> PathBuf {
        let home = PathBuf::from(&odoo_env(&["status"])["HOME_FOLDER"]).join("queue-job");
        let addons = home.join("odoo/addons");
        if !addons.join("queue_job/__manifest__.py").exists() {
            let into = home.to_str().expect("a readable path");
            let options = ["python", "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"];
            odoo_env_text(&[&options[..], &["--target", into, "odoo-addon-queue-job==19.0.*"]].concat());
            odoo_env_text(&[&options[..], &["openupgradelib"]].concat());
        }
        addons
    }

    /// Jobs per second, from the commit that added them until the last is done.
    async fn run(&self, file: &std::path::Path, run: &str, count: usize) -> f64 {
        leads::write(file, run, count);
        let mut script = Script::in_process(&self.database, &self.database.login, &self.addons);
        let done = "select count(*) from queue_job where state = 'done'";
        let before = self.database.count(done);
        script.run("enqueue", json!({"leads": file, "context": "live"}));
        let began = std::time::Instant::now();
        let expected = before + i64::try_from(count).expect("a count");
        until("all jobs are done", async || (self.database.count(done) == expected).then_some(())).await;
        count as f64 / began.elapsed().as_secs_f64()
    }
}

//! Records per second out of Odoo, and the memory that it takes: the first pull of an empty mirror.
//!
//! The baselines read the same fields of the same leads in the same pages: `search_read` in-process, and as a Python
//! script does it over XML-RPC and JSON-RPC.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    Scale, machine,
    odoo::{Database, Template},
    plot::{Bar, Plot},
    python::{Script, addons},
    report::{Measured, median, ratio},
    subject::{self, Odoo, Watch},
};

/// The product's default.
const PAGE: usize = 2000;

/// What was measured with one number of leads.
#[derive(Default)]
struct Size {
    daemon: Vec<f64>,
    peak_mb: Vec<f64>,
    in_process: Vec<f64>,
    xmlrpc: Vec<f64>,
    jsonrpc: Vec<f64>,
}

pub async fn measure(scale: Scale) -> Measured {
    let database = Database::fresh(Template::Addon);
    let server = Odoo::serve("bench-pull", &[&database], &["--addons", &addons()], &[]);
    let mut odoo = Script::in_process(&database, &database.login, &addons());
    let fields = odoo.run("fields", json!({}))["fields"].clone();
    let mut client = Script::remote(&server, &database);

    let mut sizes = Vec::new();
    let mut there = 0;
    for (count, rounds, remote_rounds) in scale.pick([(20_000, 5, 3), (200_000, 3, 1)], [(5_000, 1, 1), (20_000, 1, 1)])
    {
        println!("    {count} leads");
        fill(&database, there + 1, count);
        there = count;
        let mut size = Size::default();
        let request = json!({"fields": fields, "page": PAGE});
        for round in 0..rounds {
            size.in_process.push(odoo.rate("read", "records", request.clone()));
            let (rate, peak) = pull(&database, &server, count).await;
            size.daemon.push(rate);
            size.peak_mb.push(peak);
            if round < remote_rounds {
                let remote = |protocol| json!({"fields": fields, "page": PAGE, "protocol": protocol});
                size.xmlrpc.push(client.rate("read", "records", remote("xmlrpc")));
                size.jsonrpc.push(client.rate("read", "records", remote("jsonrpc")));
            }
            println!("      daemon {rate:.0}/s, {peak:.1} MB at most");
        }
        sizes.push((count, size));
    }

    let (_, large) = &sizes[1];
    let first = |all: &Vec<f64>, of: &Vec<f64>| all[..of.len()].to_vec();
    let mut bars = Vec::new();
    for (count, size) in &sizes {
        let in_process = median(&size.in_process);
        bars.push(
            Bar::subject(format!("{} leads", crate::plot::number(*count as f64)), median(&size.daemon))
                .target(in_process),
        );
        bars.push(Bar::baseline("in-process search_read", in_process));
        bars.push(Bar::baseline("JSON-RPC search_read from Python", median(&size.jsonrpc)));
        bars.push(Bar::baseline("XML-RPC search_read from Python", median(&size.xmlrpc)));
    }
    let samples: serde_json::Map<String, Value> = sizes
        .iter()
        .map(|(count, size)| {
            let Size { daemon, peak_mb, in_process, xmlrpc, jsonrpc } = size;
            let value = json!({
                "records_per_second":
                    {"daemon": daemon, "in_process": in_process, "xmlrpc": xmlrpc, "jsonrpc": jsonrpc},
                "daemon_peak_mb": peak_mb,
                "vs_inprocess": ratio(daemon, in_process),
            });
            (count.to_string(), value)
        })
        .collect();
    Measured {
        samples: json!({"page": PAGE, "fields": fields, "leads": samples}),
        summary: vec![
            ("pull_vs_inprocess", ratio(&large.daemon, &large.in_process)),
            ("pull_vs_xmlrpc", ratio(&first(&large.daemon, &large.xmlrpc), &large.xmlrpc)),
            ("pull_vs_jsonrpc", ratio(&first(&large.daemon, &large.jsonrpc), &large.jsonrpc)),
            ("pull_peak_mb_200k", large.peak_mb.iter().copied().fold(0.0, f64::max)),
            ("pull_per_second", median(&large.daemon)),
        ],
        plot: Plot {
            title: "Leads out of Odoo, in pages of 2,000".to_owned(),
            unit: "records per second".to_owned(),
            logarithmic: false,
            bars,
        },
    }
}

/// A fresh store; from the connection until the last lead is in the mirror. Leads per second, and the peak of memory.
async fn pull(database: &Database, server: &Odoo, count: usize) -> (f64, f64) {
    let mut daemon = subject::configure(&server.url, database);
    daemon.start().await;
    subject::connected(&daemon).await;
    let began = Instant::now();
    let watch = Watch::open(subject::store(&daemon));
    let ended = watch.reach("mirror", "crm.lead", i64::try_from(count).expect("a count")).await;
    let peak = machine::memory_mb(daemon.pid(), "VmHWM");
    assert_eq!(daemon.stop().await, Some(0));
    (count as f64 / (ended - began).as_secs_f64(), peak)
}

/// Leads by SQL, in Arabic and English, with what people fill in; every twentieth is archived.
pub fn fill(database: &Database, first: usize, last: usize) {
    database.sql(
        "insert into utm_source (name) select 'Website' where not exists (select 1 from utm_source where name = 'Website')",
    );
    database.sql(&format!(
        "insert into crm_lead (name, contact_name, partner_name, email_from, email_normalized, phone, phone_sanitized, \
             function, street, city, zip, country_id, type, priority, active, company_id, user_id, team_id, stage_id, \
             source_id, expected_revenue, probability, automated_probability, description, \
             create_date, write_date, create_uid, write_uid) \
         select (array['محمد القحطاني', 'Sara Ali', 'نورة الشمري', 'James O''Neill'])[1 + n % 4] || ' ' || n, \
             (array['محمد القحطاني', 'Sara Ali', 'نورة الشمري', 'James O''Neill'])[1 + n % 4], \
             (array['شركة البناء الحديث', 'Najd Trading Co.', 'مؤسسة الأفق'])[1 + n % 3], \
             'lead.' || n || '@example.com', 'lead.' || n || '@example.com', '+9665' || lpad(n::text, 8, '0'), \
             '+9665' || lpad(n::text, 8, '0'), 'Buyer', 'King Fahd Road ' || n, \
             (array['الرياض', 'Jeddah', 'الدمام', 'Abha'])[1 + n % 4], '12211', \
             (select id from res_country where code = 'SA'), 'opportunity', (n % 4)::text, n % 20 <> 0, 1, 2, \
             (select min(id) from crm_team), (select min(id) from crm_stage), \
             (select id from utm_source where name = 'Website'), (n % 1000) * 10.5, 20 + n % 60, 20 + n % 60, \
             '<p>أرغب في عرض سعر مفصل. Please call in the evening.</p>', \
             now() - n * interval '1 minute', now() - n * interval '1 second', 2, 2 \
         from generate_series({first}, {last}) n"
    ));
    // They stand for leads from before the addon was installed: no change that is still to be told.
    database.sql(
        "do $$ begin if to_regclass('g_assistant_change') is not null then truncate g_assistant_change; end if; end $$",
    );
    database.sql("analyze crm_lead");
    let count = database.count("select count(*) from crm_lead");
    assert_eq!(count, i64::try_from(last).expect("a count"), "nothing else is in the database");
}

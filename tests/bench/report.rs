//! What was measured: files, the table, and whether each aim is reached.

use std::{collections::BTreeMap, fs, path::PathBuf};

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use crate::{
    Scale, machine,
    odoo::root,
    plot::{Plot, number},
};

/// The nine figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Figure {
    Ingest,
    Intake,
    Push,
    Pull,
    Latency,
    AddonCost,
    Dashboards,
    Growth,
    Idle,
}

impl Figure {
    pub const ALL: [Figure; 9] = [
        Figure::Ingest,
        Figure::Intake,
        Figure::Push,
        Figure::Pull,
        Figure::Latency,
        Figure::AddonCost,
        Figure::Dashboards,
        Figure::Growth,
        Figure::Idle,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Figure::Ingest => "ingest",
            Figure::Intake => "intake",
            Figure::Push => "push",
            Figure::Pull => "pull",
            Figure::Latency => "latency",
            Figure::AddonCost => "addon-cost",
            Figure::Dashboards => "dashboards",
            Figure::Growth => "growth",
            Figure::Idle => "idle",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Figure::Ingest => "durable signed webhooks per second",
            Figure::Intake => "drafts through the steps of intake per second, one core",
            Figure::Push => "leads per second into Odoo",
            Figure::Pull => "records per second out of Odoo",
            Figure::Latency => "from a webhook to Odoo, and from a save to the daemon",
            Figure::AddonCost => "what the addon adds to a save",
            Figure::Dashboards => "the dashboard on 200,000 leads, and CRM's screens with the addon",
            Figure::Growth => "ten thousand and two million stored deliveries",
            Figure::Idle => "memory and processor while nothing happens",
        }
    }
}

/// Where a value should be.
#[derive(Debug, Clone, Copy)]
enum Aim {
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
    None,
}

impl Aim {
    fn reached(self, value: f64) -> Option<bool> {
        match self {
            Aim::AtLeast(limit) => Some(value >= limit),
            Aim::Below(limit) => Some(value < limit),
            Aim::AtMost(limit) => Some(value <= limit),
            Aim::None => None,
        }
    }

    fn text(self) -> String {
        match self {
            Aim::AtLeast(limit) => format!("≥ {}", number(limit)),
            Aim::Below(limit) => format!("< {}", number(limit)),
            Aim::AtMost(limit) => format!("≤ {}", number(limit)),
            Aim::None => "–".to_owned(),
        }
    }
}

/// Key, aim, and what it is. What is not listed here is in the files all the same.
const LINES: &[(&str, Aim, &str)] = &[
    ("ingest_vs_nostore_256", Aim::AtLeast(0.6), "ingest, 256 connections ÷ the same server without the store"),
    ("ingest_p99_ms_256", Aim::Below(25.0), "ingest, 256 connections: p99, ms"),
    ("ingest_vs_odoo_webhook", Aim::AtLeast(200.0), "ingest ÷ Odoo's own inbound webhook"),
    ("intake_drafts_per_second", Aim::AtLeast(20_000.0), "intake: drafts per second on one core, all steps"),
    ("push_vs_inprocess", Aim::AtLeast(0.95), "push, threaded Odoo ÷ in-process create"),
    ("push_vs_inprocess_2_workers", Aim::AtLeast(1.6), "push, two workers ÷ in-process create"),
    (
        "push_backfill_vs_inprocess_2_workers",
        Aim::AtLeast(4.5),
        "backfill, two workers ÷ in-process create in Odoo's default context",
    ),
    ("push_vs_single_call", Aim::AtLeast(4.0), "push ÷ one XML-RPC create per lead"),
    ("push_vs_queue_job", Aim::None, "push, two workers ÷ queue_job, one lead per job, two workers"),
    ("pull_vs_inprocess", Aim::AtLeast(1.0), "pull ÷ in-process search_read"),
    ("pull_vs_xmlrpc", Aim::AtLeast(8.0), "pull ÷ paged XML-RPC search_read from Python"),
    ("pull_vs_jsonrpc", Aim::None, "pull ÷ paged JSON-RPC search_read from Python"),
    ("pull_peak_mb_200k", Aim::Below(48.0), "pull of 200,000 leads: peak memory, MB"),
    ("webhook_to_odoo_p50_ms", Aim::Below(90.0), "webhook → visible in Odoo, idle: p50, ms"),
    ("webhook_to_odoo_p99_ms", Aim::Below(300.0), "webhook → visible in Odoo, idle: p99, ms"),
    ("save_to_daemon_p50_ms", Aim::Below(50.0), "save → stored in the daemon, idle: p50, ms"),
    ("save_to_daemon_p99_ms", Aim::Below(250.0), "save → stored in the daemon, idle: p99, ms"),
    ("addon_create_overhead", Aim::Below(1.05), "create of one lead, with ÷ without the addon"),
    ("addon_write_overhead", Aim::Below(1.05), "write of one lead, with ÷ without the addon"),
    ("addon_create_1000_overhead", Aim::Below(1.05), "create of 1,000 leads, with ÷ without the addon"),
    ("addon_write_1000_overhead", Aim::Below(1.05), "write of 1,000 leads, with ÷ without the addon"),
    ("addon_list_overhead", Aim::Below(1.05), "list of CRM, 80 leads read, with ÷ without the addon"),
    ("addon_kanban_overhead", Aim::Below(1.05), "kanban of CRM, 80 leads read, with ÷ without the addon"),
    ("addon_form_overhead", Aim::Below(1.05), "form of a lead read, with ÷ without the addon"),
    ("dashboard_slowest_ms_200k", Aim::Below(1000.0), "dashboard, 200,000 leads: its slowest part, ms"),
    ("dashboard_slowest_vs_read_group", Aim::None, "dashboard: its slowest part ÷ one read_group of Odoo"),
    ("growth_ingest", Aim::AtMost(1.2), "ingest at 2 million ÷ at 10,000 deliveries (time)"),
    ("growth_claim", Aim::AtMost(1.2), "claim and finish at 2 million ÷ at 10,000 (time)"),
    ("growth_status", Aim::AtMost(1.2), "status at 2 million ÷ at 10,000 (time)"),
    ("idle_rss_mb", Aim::Below(20.0), "idle: resident memory, MB"),
    ("idle_cpu_pct", Aim::Below(0.3), "idle: processor, % of one core"),
];

/// One figure's measurement.
pub struct Measured {
    /// Every sample that matters.
    pub samples: Value,
    /// Key → value for the summary.
    pub summary: Vec<(&'static str, f64)>,
    pub plot: Plot,
}

/// What is known so far, this run's and earlier ones'.
pub struct Results {
    folder: PathBuf,
    summary: BTreeMap<String, f64>,
}

/// Where results go, and what helps to make them.
pub fn folder() -> PathBuf {
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

impl Results {
    /// A trial keeps its results apart: they are no figures.
    pub fn load(scale: Scale) -> Results {
        let folder = scale.pick(folder(), folder().join("quick"));
        fs::create_dir_all(&folder).expect("a folder");
        let text = fs::read_to_string(folder.join("summary.json")).unwrap_or_default();
        Results { folder, summary: serde_json::from_str(&text).unwrap_or_default() }
    }

    /// Writes a figure down.
    pub fn keep(&mut self, figure: Figure, measured: Measured, scale: Scale, publish: bool) {
        let name = figure.name();
        let summary: serde_json::Map<String, Value> =
            measured.summary.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let all = json!({
            "figure": name,
            "title": figure.title(),
            "quick": scale.quick,
            "machine": machine::describe(),
            "summary": summary,
            "samples": measured.samples,
        });
        write(self.folder.join(format!("{name}.json")), &pretty(&all));
        write(self.folder.join(format!("{name}.svg")), &measured.plot.svg());
        if publish && !scale.quick {
            let docs = root().join("docs/bench");
            fs::create_dir_all(&docs).expect("a folder");
            write(docs.join(format!("{name}.svg")), &measured.plot.svg());
        }
        for (key, value) in measured.summary {
            // Four digits that matter are more than can be repeated.
            self.summary.insert(key.to_owned(), rounded(value));
            println!("    {key} = {}", number(value));
        }
        write(self.folder.join("summary.json"), &pretty(&json!(self.summary)));
    }

    fn rows(&self) -> impl Iterator<Item = [String; 4]> {
        LINES.iter().map(|(key, aim, what)| {
            let value = self.summary.get(*key).copied();
            let verdict = match value.and_then(|value| aim.reached(value)) {
                Some(true) => "met",
                Some(false) => "missed",
                None => "",
            };
            let value = value.map_or("not measured".to_owned(), number);
            [(*what).to_owned(), value, aim.text(), verdict.to_owned()]
        })
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(["figure", "measured", "aim", ""]);
        for row in self.rows() {
            table.add_row(row);
        }
        for column in [1, 2] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.to_string()
    }

    /// For a README.
    pub fn markdown(&self) -> String {
        let rows = self.rows().map(|[what, value, aim, verdict]| format!("| {what} | {value} | {aim} | {verdict} |"));
        let head = ["| | measured | aim | |", "|---|--:|--:|---|"].map(str::to_owned);
        head.into_iter().chain(rows).collect::<Vec<_>>().join("\n")
    }
}

fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON") + "\n"
}

fn write(path: PathBuf, text: &str) {
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// The value that `share` of all are not above.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let position = (sorted.len() - 1) as f64 * share;
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * position.fract()
}

/// The median of `subject ÷ baseline`, pair by pair.
pub fn ratio(subject: &[f64], baseline: &[f64]) -> f64 {
    assert_eq!(subject.len(), baseline.len(), "one baseline for each");
    median(&subject.iter().zip(baseline).map(|(subject, baseline)| subject / baseline).collect::<Vec<_>>())
}

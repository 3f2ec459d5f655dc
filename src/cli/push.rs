//! `push FILE`: leads or orders from a CSV, Excel or JSON file.
//!
//! The file becomes deliveries of a source, each under a key made from its content, and takes the same way as a
//! webhook: parsed, kept, pushed once. Pushing the same file twice changes nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use chrono::Utc;
use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, presets};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    Failure, progress, pushed,
    table::{self, Table},
};
use crate::{
    app::{App, open_intake},
    clock::Clock,
    config::Config,
    domain::{FieldValue, Operation},
    intake::{Intake, IntakeContext, NewPush},
    sources::{Content, Export, FILE, Source, Tokens, file_of, open_all},
    store::{Lane, NewDelivery, Reply, Store, StoreError},
    telemetry, worker,
};

/// Rows per delivery.
const CHUNK: usize = 200;

/// A dry run shows what would be sent; --apply sends it, through the running service if there is one.
///
/// A CSV file has a header line with the field names of docs/lead-schema.md (`external_id, contact_name, email, phone,
/// company, …`); other columns are kept as answers. Exports of Meta, Google, TikTok, Snapchat and LinkedIn are taken as they
/// come, CSV or XLSX, and usual names of columns in English and Arabic are known. A JSON file has the body of a webhook.
#[derive(Debug, Args)]
pub struct Push {
    /// The file
    file: PathBuf,
    /// What its rows are
    #[arg(long, value_enum, default_value_t = Kind::Leads)]
    kind: Kind,
    /// The source whose webhook brings the same leads: they are then the same in Odoo
    #[arg(long, value_name = "ID")]
    source: Option<String>,
    /// Send it
    #[arg(long)]
    apply: bool,
    /// Write what became of each row into this CSV file
    #[arg(long, value_name = "FILE", requires = "apply")]
    report: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// What the rows of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Leads.
    Leads,
    /// Orders.
    Orders,
}

impl Kind {
    fn key(self) -> &'static str {
        match self {
            Kind::Leads => "leads",
            Kind::Orders => "orders",
        }
    }
}

/// One delivery made from the file.
struct Chunk {
    key: String,
    body: Vec<u8>,
    planned: Vec<NewPush>,
    warnings: Vec<String>,
}

impl Push {
    pub(super) async fn run(self, config: Config) -> Result<(), Failure> {
        if let Some(id) = &self.source
            && !config.sources.iter().any(|source| source.id == *id)
        {
            return Err(anyhow!("there is no source `{id}` in the configuration").into());
        }
        let chunks = self.read(&open_intake(&config)?)?;
        let source = self.source.as_deref().map_or_else(|| FILE.to_owned(), file_of);
        let count: usize = chunks.iter().map(|chunk| chunk.planned.len()).sum();
        self.show(&chunks)?;
        if !self.apply {
            println!("\ndry run: {count} operations; nothing was sent. Add --apply to send them");
            return Ok(());
        }
        let rows = rows_of(&chunks);
        let store = config.store.path.clone();
        let told = match App::open(config).await {
            Ok(app) => {
                let sent = send_alone(&app, &source, chunks, &rows).await;
                app.store.close().await;
                sent?
            }
            Err(error) if is_locked(&error) => send_through_service(&store, &source, chunks, &rows).await?,
            Err(error) => return Err(error.into()),
        };
        pushed::print(&told);
        Ok(self.report.as_deref().map_or(Ok(()), |path| pushed::write(&told, path))?)
    }

    /// Reads and parses the whole file before anything is sent.
    fn read(&self, intake: &Intake) -> anyhow::Result<Vec<Chunk>> {
        let name = self.file.display();
        let bytes = fs::read(&self.file).with_context(|| format!("reading {name}"))?;
        let extension = self.file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let rows = read_rows(&bytes, extension, self.kind).with_context(|| format!("reading {name}"))?;
        let sources = open_all(&[], Tokens::default())?;
        let parser = sources.get(FILE).context("internal error: files are no source")?;
        rows.chunks(CHUNK)
            .enumerate()
            .map(|(number, rows)| {
                let first = number * CHUNK + 1;
                self.chunk(intake, parser, rows)
                    .with_context(|| format!("{name}: rows {first} to {}", first + rows.len() - 1))
            })
            .collect()
    }

    fn chunk(&self, intake: &Intake, parser: &dyn Source, rows: &[Value]) -> anyhow::Result<Chunk> {
        let body = serde_json::to_vec(&json!({ self.kind.key(): rows }))?;
        let digest = Sha256::digest(&body);
        let key = format!("file-{}", digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>());
        let parsed = parser.parse(&body)?;
        let Content::Drafts(drafts) = parsed.content else {
            bail!("the file holds neither leads nor orders");
        };
        let context = IntakeContext { silent: true, received_at: Utc::now(), ..IntakeContext::default() };
        let planned = intake.plan(self.source.as_deref().unwrap_or(FILE), &key, drafts, &context);
        Ok(Chunk { key, body, planned, warnings: parsed.warnings })
    }

    fn show(&self, chunks: &[Chunk]) -> anyhow::Result<()> {
        let operations: Vec<&Operation> =
            chunks.iter().flat_map(|chunk| &chunk.planned).map(|push| &push.operation).collect();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&operations)?);
            return Ok(());
        }
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(["action", "model", "identity", "values"]);
        const SHOWN: usize = 20;
        for operation in operations.iter().take(SHOWN) {
            table.add_row([
                format!("{:?}", operation.action).to_lowercase(),
                operation.model.to_string(),
                operation.reference.clone(),
                operation
                    .values
                    .iter()
                    .map(|(field, value)| format!("{field}={}", brief(value)))
                    .collect::<Vec<_>>()
                    .join("  "),
            ]);
        }
        println!("{table}");
        if operations.len() > SHOWN {
            println!("… and {} more", operations.len() - SHOWN);
        }
        for warning in chunks.iter().flat_map(|chunk| &chunk.warnings).take(SHOWN) {
            println!("warning: {warning}");
        }
        Ok(())
    }
}

fn brief(value: &FieldValue) -> String {
    match value {
        FieldValue::Plain(Value::String(text)) => text.chars().take(40).collect(),
        FieldValue::Plain(value) => value.to_string(),
        FieldValue::Lookup(lookup) => format!("{lookup:?}"),
        FieldValue::Lookups(lookups) => format!("{lookups:?}"),
        FieldValue::Partner(partner) => partner.name.clone().unwrap_or_default(),
        FieldValue::Lines(lines) => format!("{} lines", lines.len()),
    }
}

/// The rows of a file, by the extension of its name.
pub fn read_rows(bytes: &[u8], extension: &str, kind: Kind) -> anyhow::Result<Vec<Value>> {
    match extension {
        "csv" | "tsv" | "txt" => read_table(table::csv(bytes)?, kind),
        "xlsx" => read_table(table::xlsx(bytes)?, kind),
        "json" => read_json(bytes, kind),
        _ => bail!("the name must end in .csv, .tsv, .txt, .xlsx or .json"),
    }
}

/// A row per lead. Orders need nesting, which tables have not: one line per row, rows of one `external_id` are one order.
fn read_table(Table { header, rows }: Table, kind: Kind) -> anyhow::Result<Vec<Value>> {
    match kind {
        Kind::Leads => {
            let export = Export::new(header);
            Ok(rows.iter().map(|row| Value::Object(export.lead(row, typed))).collect())
        }
        Kind::Orders => {
            let row = |row: Vec<String>| -> Map<String, Value> {
                let cells = header.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
                cells.map(|(column, cell)| (column.clone(), typed(column, &cell))).collect()
            };
            orders_from_rows(rows.into_iter().map(row).collect())
        }
    }
}

/// Numbers and lists, for the columns that the schema wants as such.
fn typed(column: &str, cell: &str) -> Value {
    match column {
        "expected_revenue" | "priority" | "quantity" | "price_unit" | "discount" => cell.parse::<f64>().map_or_else(
            |_| cell.into(),
            |number| match number {
                whole if whole.fract() == 0.0 && whole.abs() < 1e15 => json!(whole as i64),
                number => json!(number),
            },
        ),
        "tags" => cell.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect(),
        _ => cell.into(),
    }
}

const LINE_COLUMNS: [&str; 4] = ["product", "quantity", "price_unit", "discount"];
const CUSTOMER_COLUMNS: [(&str, &str); 4] =
    [("customer", "name"), ("customer_email", "email"), ("customer_phone", "phone"), ("customer_vat", "vat")];

fn orders_from_rows(rows: Vec<Map<String, Value>>) -> anyhow::Result<Vec<Value>> {
    let mut orders: Vec<Map<String, Value>> = Vec::new();
    for (number, mut row) in rows.into_iter().enumerate() {
        let id = row.get("external_id").cloned().ok_or_else(|| anyhow!("line {}: external_id is empty", number + 2))?;
        let mut line: Map<String, Value> = LINE_COLUMNS.iter().filter_map(|column| row.remove_entry(*column)).collect();
        if let Some(name) = row.remove("description") {
            line.insert("name".to_owned(), name);
        }
        let customer: Map<String, Value> = CUSTOMER_COLUMNS
            .iter()
            .filter_map(|(column, field)| Some(((*field).to_owned(), row.remove(*column)?)))
            .collect();
        if !customer.is_empty() {
            row.insert("customer".to_owned(), customer.into());
        }
        let position = orders.iter().position(|order| order.get("external_id") == Some(&id));
        let order = match position {
            Some(position) => &mut orders[position],
            None => {
                orders.push(row);
                let last = orders.len() - 1;
                &mut orders[last]
            }
        };
        if !line.is_empty()
            && let Some(lines) = order.entry("lines").or_insert_with(|| json!([])).as_array_mut()
        {
            lines.push(line.into());
        }
    }
    Ok(orders.into_iter().map(Value::Object).collect())
}

/// A list, or the body of a webhook.
fn read_json(bytes: &[u8], kind: Kind) -> anyhow::Result<Vec<Value>> {
    match serde_json::from_slice(bytes)? {
        Value::Array(rows) => Ok(rows),
        Value::Object(mut body) => match (body.remove(kind.key()), body.remove(kind.key().trim_end_matches('s'))) {
            (Some(Value::Array(rows)), _) => Ok(rows),
            (_, Some(one)) => Ok(vec![one]),
            _ => bail!("expected a list, or an object with `{}`", kind.key()),
        },
        _ => bail!("expected a list, or an object with `{}`", kind.key()),
    }
}

fn is_locked(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StoreError::Locked { .. }))
}

/// Puts the chunks into the inbox; returns how many were there before.
async fn accept(store: &Store, clock: &Clock, source: &str, chunks: Vec<Chunk>) -> Result<usize, StoreError> {
    let mut known = 0;
    for chunk in chunks {
        let delivery = NewDelivery {
            source: source.to_owned(),
            key: chunk.key,
            received_at: clock.now_ms(),
            content_type: Some("application/json".to_owned()),
            body: chunk.body,
        };
        let reply = Reply { status: 202, body: json!({"status": "accepted"}).to_string() };
        known += usize::from(store.accept(delivery, Lane::Backfill, reply).await?.duplicate.is_some());
    }
    Ok(known)
}

fn say_known(known: usize, all: usize) {
    if known > 0 {
        println!("{known} of {all} parts of this file were sent before; they are not sent again");
    }
}

/// The operations of the file with their rows. Keys end with the place in their part, and perhaps a step of an order.
fn rows_of(chunks: &[Chunk]) -> Vec<pushed::Row> {
    let row = |number: usize, chunk: &Chunk, operation: &Operation| {
        let (_, place) = operation.key.rsplit_once(&format!("{}:", chunk.key))?;
        let place: usize = place.split(':').next()?.parse().ok()?;
        let (reference, key) = (operation.reference.clone(), operation.key.clone());
        Some(pushed::Row { place: number * CHUNK + place + 1, reference, key })
    };
    let of_chunk = |(number, chunk)| {
        let chunk: &Chunk = chunk;
        chunk.planned.iter().filter_map(move |push| row(number, chunk, &push.operation))
    };
    chunks.iter().enumerate().flat_map(of_chunk).collect()
}

/// No service runs: this process does its work.
async fn send_alone(
    app: &App,
    source: &str,
    chunks: Vec<Chunk>,
    rows: &[pushed::Row],
) -> Result<Vec<pushed::Told>, Failure> {
    telemetry::init(&app.config.log).map_err(anyhow::Error::from)?;
    app.backend.connect().await?;
    let all = chunks.len();
    say_known(accept(&app.store, &app.clock, source, chunks).await?, all);
    worker::drain(&app.store, app.intake(), &app.clock, |_| {}).await?;
    let bar = progress::bar(rows.len() as u64, "pushing");
    if !worker::drain(&app.store, app.push(), &app.clock, |count| bar.inc(count as u64)).await? {
        return Err(Failure::Unreachable("Odoo went away; the rest stays queued for `g-assistant run`".to_owned()));
    }
    bar.finish_and_clear();
    Ok(pushed::ask(&app.store, rows).await?)
}

/// The service runs: it does the work, and this process watches until each row has ended, or has to wait for a person.
async fn send_through_service(
    path: &Path,
    source: &str,
    chunks: Vec<Chunk>,
    rows: &[pushed::Row],
) -> Result<Vec<pushed::Told>, Failure> {
    let store = Store::open_admin(path, Clock::system()).await?;
    let all = chunks.len();
    say_known(accept(&store, &Clock::system(), source, chunks).await?, all);
    let bar = progress::bar(rows.len() as u64, "the service pushes");
    loop {
        // Looked at before the rows: what intake has done by then, they show.
        let queues = store.stats().await?.queues;
        let told = pushed::ask(&store, rows).await?;
        let open = told.iter().filter(|one| one.ended == pushed::Ended::Queued).count();
        bar.set_position((rows.len() - open) as u64);
        // With nothing in the queues, what is open was parked before it became an operation.
        if open == 0 || queues.values().all(|queue| queue.ready + queue.leased == 0) {
            bar.finish_and_clear();
            return Ok(told);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

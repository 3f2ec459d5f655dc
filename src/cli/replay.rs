//! `replay`: kept deliveries are read again, by the program and the configuration as they are now.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context, anyhow};
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::{Failure, progress};
use crate::{
    app::open_intake,
    clock::Clock,
    config::{Config, parse_duration},
    intake::Intake,
    sources::{Registry, Tokens, open_all},
    store::{Fate, JobKind, Kept, KeptFilter, NewJob, Reread, Store},
    worker,
};

/// Deliveries that are read at a time.
const PAGE: usize = 200;

/// A dry run shows what would become of each; --go does it.
///
/// Chosen are the deliveries that were not understood, and with --all also those that were. What was done stays done: the
/// operations of a delivery have the same keys each time, so only what is new, or was refused and reads differently now,
/// goes to Odoo. What is older than a day comes in without notifications. It works beside the running service, and
/// without it: then the next start, or `g-assistant sync`, sends what is queued.
#[derive(Debug, Args)]
pub struct Replay {
    /// Received then or later: `2026-11-20`, `2026-11-20T10:00` (UTC), or how long ago, such as `7d` or `36h`
    #[arg(long, value_name = "WHEN", value_parser = |text: &str| Moment::parse(text))]
    since: Option<Moment>,
    /// Received before; a day counts whole
    #[arg(long, value_name = "WHEN", value_parser = |text: &str| Moment::parse(text))]
    until: Option<Moment>,
    /// Only deliveries of this source
    #[arg(long, value_name = "ID")]
    source: Option<String>,
    /// Also deliveries that were understood, as long as their bodies are kept
    #[arg(long)]
    all: bool,
    /// Do it
    #[arg(long)]
    go: bool,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// A time as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Time(DateTime<Utc>),
    Day(NaiveDate),
    Ago(std::time::Duration),
}

impl Moment {
    fn parse(text: &str) -> Result<Self, String> {
        const FORMS: [&str; 4] = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"];
        let naive = || FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
        let time = || DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok();
        let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self::Day);
        let moment = time().or_else(|| naive().map(|time| time.and_utc())).map(Self::Time).or_else(day);
        moment
            .or_else(|| parse_duration(text).map(Self::Ago))
            .ok_or_else(|| "expected a day such as 2026-11-20, a time, or how long ago, such as 7d or 36h".to_owned())
    }

    fn begin(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Time(time) => time,
            Self::Day(day) => day.and_time(NaiveTime::MIN).and_utc(),
            Self::Ago(ago) => chrono::TimeDelta::from_std(ago)
                .ok()
                .and_then(|ago| now.checked_sub_signed(ago))
                .map_or(DateTime::UNIX_EPOCH, |time| time.max(DateTime::UNIX_EPOCH)),
        }
    }

    fn end(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Day(day) => Self::Day(day.checked_add_days(Days::new(1)).unwrap_or(day)).begin(now),
            other => other.begin(now),
        }
    }
}

/// A delivery that was read again.
#[derive(Debug, Serialize)]
struct Reading {
    delivery: i64,
    source: String,
    received_at: DateTime<Utc>,
    was_understood: bool,
    #[serde(flatten)]
    read: Read,
}

#[derive(Debug, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
enum Read {
    /// How many leads and orders have which fate; those that the platform has to be asked for are counted alone.
    Understood { operations: BTreeMap<Fate, usize>, to_fetch: BTreeMap<Fate, usize> },
    /// It still cannot be understood.
    NotUnderstood { error: String },
    /// A worker reads it at this moment.
    Busy,
}

impl Replay {
    pub(super) async fn run(self, config: Config) -> Result<(), Failure> {
        let intake = open_intake(&config)?;
        let sources = open_all(&config.sources, Tokens::default()).map_err(anyhow::Error::from)?;
        if let Some(id) = &self.source
            && sources.get(id).is_none()
        {
            return Err(anyhow!("there is no source `{id}` in the configuration").into());
        }
        let path = &config.store.path;
        let store = match self.go {
            true => Store::open_admin(path, Clock::system()).await?,
            false => Store::open_readonly(path).await?,
        };
        let readings = self.read_all(&store, &sources, &intake).await?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&readings).context("writing JSON")?);
        } else {
            print(&readings);
            println!("\n{}", self.summary(&readings));
        }
        Ok(())
    }

    async fn read_all(&self, store: &Store, sources: &Registry, intake: &Intake) -> Result<Vec<Reading>, Failure> {
        let now = Utc::now();
        let filter = KeptFilter {
            source: self.source.clone(),
            from: self.since.map_or(0, |since| since.begin(now).timestamp_millis()),
            before: self.until.map_or(i64::MAX, |until| until.end(now).timestamp_millis()),
            understood: self.all,
        };
        let mut reached = store.reached_records().await?;
        let bar = progress::bar(0, "reading deliveries");
        let (mut readings, mut after) = (Vec::new(), 0);
        loop {
            let page = store.kept(filter.clone(), after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.delivery.id;
            bar.inc_length(page.len() as u64);
            let read = self.read(store, sources, intake, page, &mut reached).await?;
            bar.inc(read.len() as u64);
            readings.extend(read);
        }
        bar.finish_and_clear();
        Ok(readings)
    }

    /// A page of deliveries, in one transaction.
    async fn read(
        &self,
        store: &Store,
        sources: &Registry,
        intake: &Intake,
        page: Vec<Kept>,
        reached: &mut HashSet<String>,
    ) -> Result<Vec<Reading>, Failure> {
        let jobs_of = |kept: &Kept| {
            let content = worker::read(sources, &kept.delivery)?;
            // Which domains take no mail is not asked again.
            let jobs = worker::jobs_of(intake, &kept.delivery, kept.lane, content, &BTreeSet::new())?;
            Ok::<_, String>(Reread { delivery: kept.delivery.id, lane: kept.lane, jobs })
        };
        let read: Vec<_> = page.iter().map(jobs_of).collect();
        let understood: Vec<Reread> = read.iter().flatten().cloned().collect();
        let fates = match self.go {
            true => store.replay(understood).await?,
            false => store.fates(understood).await?,
        };
        let mut fates = fates.into_iter();
        let readings = page.into_iter().zip(read).map(|(Kept { delivery, parked, .. }, read)| Reading {
            delivery: delivery.id,
            source: delivery.source,
            received_at: DateTime::from_timestamp_millis(delivery.received_at).unwrap_or_default(),
            was_understood: !parked,
            read: match read {
                Err(error) => Read::NotUnderstood { error },
                Ok(Reread { jobs, .. }) => match fates.next().flatten() {
                    Some(fates) => self::understood(jobs, fates, reached),
                    None => Read::Busy,
                },
            },
        });
        Ok(readings.collect())
    }

    fn summary(&self, readings: &[Reading]) -> String {
        let mut all = BTreeMap::<Fate, usize>::new();
        let (mut leads, mut fetches, mut not, mut busy) = (0, 0, 0, 0);
        for reading in readings {
            match &reading.read {
                Read::Understood { operations, to_fetch } => {
                    leads += operations.values().sum::<usize>();
                    fetches += work(to_fetch);
                    operations.iter().for_each(|(fate, count)| *all.entry(*fate).or_default() += count);
                }
                Read::NotUnderstood { .. } => not += 1,
                Read::Busy => busy += 1,
            }
        }
        let mut parts = vec![format!("{} deliveries, {not} of them still not understood", readings.len())];
        if leads > 0 {
            parts.push(format!("{leads} leads or orders: {}", counted(&all)));
        }
        if fetches > 0 {
            parts.push(format!("{fetches} to fetch from their platform"));
        }
        if busy > 0 {
            parts.push(format!("{busy} being read by the service at this moment"));
        }
        let (text, work) = (parts.join("; "), work(&all) + fetches);
        match (self.go, work) {
            (false, 0) => format!("dry run: {text}. There is nothing to do"),
            (false, _) => format!("dry run: {text}. Nothing was changed; add --go to do it"),
            (true, 0) => format!("{text}. There was nothing to do"),
            (true, _) => {
                format!("{text}. The service sends what is queued; if it does not run, `g-assistant sync` does")
            }
        }
    }
}

/// Counts the fates; what is new for a record that others have reached is an update of it.
fn understood(jobs: Vec<NewJob>, fates: Vec<Fate>, reached: &mut HashSet<String>) -> Read {
    let (mut operations, mut to_fetch) = (BTreeMap::new(), BTreeMap::new());
    for (job, fate) in jobs.into_iter().zip(fates) {
        let known = job.record_key.filter(|_| fate == Fate::New).is_some_and(|record| !reached.insert(record));
        let counts = if job.kind == JobKind::Fetch { &mut to_fetch } else { &mut operations };
        *counts.entry(if known { Fate::Update } else { fate }).or_default() += 1;
    }
    Read::Understood { operations, to_fetch }
}

fn work(counts: &BTreeMap<Fate, usize>) -> usize {
    counts.iter().filter(|(fate, _)| fate.is_work()).map(|(_, count)| count).sum()
}

fn counted(counts: &BTreeMap<Fate, usize>) -> String {
    let words = |fate| match fate {
        Fate::New => "new",
        Fate::Update => "an update",
        Fate::Corrected => "to be tried with other values",
        Fate::Held => "held for review",
        Fate::Done => "in Odoo already",
        Fate::DoneOtherwise => "in Odoo already, read differently now; stays as it is",
        Fate::Queued => "on its way already",
        Fate::Parked => "parked, and reads the same",
        Fate::Discarded => "discarded by a person",
    };
    counts.iter().map(|(fate, count)| format!("{count} {}", words(*fate))).collect::<Vec<_>>().join(", ")
}

fn print(readings: &[Reading]) {
    if readings.is_empty() {
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header([
        "delivery",
        "received (UTC)",
        "source",
        "was",
        "is now",
    ]);
    for reading in readings {
        let now = match &reading.read {
            Read::NotUnderstood { error } => format!("still not understood: {error}"),
            Read::Busy => "being read by the service".to_owned(),
            Read::Understood { operations, to_fetch } => {
                let parts =
                    [("", operations), ("to fetch: ", to_fetch)].into_iter().filter(|(_, some)| !some.is_empty());
                let parts: Vec<_> = parts.map(|(what, counts)| format!("{what}{}", counted(counts))).collect();
                if parts.is_empty() { "nothing for Odoo in it".to_owned() } else { parts.join("; ") }
            }
        };
        table.add_row([
            reading.delivery.to_string(),
            reading.received_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            reading.source.clone(),
            if reading.was_understood { "understood" } else { "not understood" }.to_owned(),
            now,
        ]);
    }
    println!("{table}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = DateTime::parse_from_rfc3339("2026-11-21T12:00:00Z").expect("a time").to_utc();
        for (text, begin, end) in [
            ("2026-11-20", "2026-11-20T00:00:00", "2026-11-21T00:00:00"),
            ("2026-11-20T10:30", "2026-11-20T10:30:00", "2026-11-20T10:30:00"),
            ("2026-11-20 10:30:05", "2026-11-20T10:30:05", "2026-11-20T10:30:05"),
            ("2026-11-20T13:30:00+03:00", "2026-11-20T10:30:00", "2026-11-20T10:30:00"),
            ("36h", "2026-11-20T00:00:00", "2026-11-20T00:00:00"),
            ("9999999d", "1970-01-01T00:00:00", "1970-01-01T00:00:00"),
        ] {
            let moment = Moment::parse(text).expect(text);
            let shown = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S").to_string();
            assert_eq!((shown(moment.begin(now)).as_str(), shown(moment.end(now)).as_str()), (begin, end), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "7", "7 weeks", "2026-11-20T25:00"] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }
}

//! `outbox`: look into the queue, try again, discard.

use std::str::FromStr;

use anyhow::{Context, anyhow};
use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use comfy_table::{ContentArrangement, Table, presets};

use super::Failure;
use crate::{
    clock::Clock,
    config::Config,
    store::{JobDetail, JobFilter, JobKind, JobState, Store},
};

/// Works beside the running service.
#[derive(Debug, Args)]
pub struct Outbox {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// What waits, newest first
    List {
        /// Only this state
        #[arg(long, value_parser = one_of::<JobState>(JobState::ALL.iter().map(|state| state.as_str())))]
        state: Option<JobState>,
        /// Only this kind
        #[arg(long, value_parser = one_of::<JobKind>(JobKind::ALL.iter().map(|kind| kind.as_str())))]
        kind: Option<JobKind>,
        /// How many at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// One operation with its values, its attempts and the delivery that it came from
    Show {
        /// Its number in `list`
        id: i64,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Try parked operations again, now
    Retry(Which),
    /// Give operations up. They are kept for the record until retention deletes them
    Discard(Which),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Their numbers in `list`
    ids: Vec<i64>,
    /// Everything that is parked
    #[arg(long)]
    all_parked: bool,
}

impl Outbox {
    pub(super) async fn run(self, config: Config) -> Result<(), Failure> {
        let path = &config.store.path;
        match self.action {
            Action::List { state, kind, limit, json } => {
                let store = Store::open_readonly(path).await?;
                let jobs = store.list_jobs(JobFilter { state, kind, limit }).await?;
                if json {
                    println!("{}", serde_json::to_string_pretty(&jobs).context("writing JSON")?);
                } else {
                    print_list(&jobs);
                }
            }
            Action::Show { id, json } => {
                let store = Store::open_readonly(path).await?;
                let job =
                    store.job(id).await?.ok_or_else(|| anyhow!("there is no operation {id}; see `outbox list`"))?;
                if json {
                    println!("{}", serde_json::to_string_pretty(&job).context("writing JSON")?);
                } else {
                    print_job(&job)?;
                }
            }
            Action::Retry(which) => {
                let store = Store::open_admin(path, Clock::system()).await?;
                let ids = which.ids(&store).await?;
                println!("{} of {} will be tried again", store.retry_jobs(ids.clone()).await?, ids.len());
            }
            Action::Discard(which) => {
                let store = Store::open_admin(path, Clock::system()).await?;
                let ids = which.ids(&store).await?;
                println!("{} of {} discarded", store.discard_jobs(ids.clone()).await?, ids.len());
            }
        }
        Ok(())
    }
}

impl Which {
    async fn ids(self, store: &Store) -> Result<Vec<i64>, Failure> {
        if !self.all_parked {
            return Ok(self.ids);
        }
        let filter = JobFilter { state: Some(JobState::Parked), limit: usize::MAX >> 1, ..JobFilter::default() };
        Ok(store.list_jobs(filter).await?.into_iter().map(|job| job.id).collect())
    }
}

/// Takes one of these words, and lists them in the help.
fn one_of<T>(words: impl Iterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

fn print_list(jobs: &[JobDetail]) {
    if jobs.is_empty() {
        println!("nothing here");
        return;
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["id", "state", "kind", "what", "attempts", "error"]);
    for job in jobs {
        let error = job.error.as_deref().unwrap_or_default().lines().next().unwrap_or_default();
        table.add_row([
            job.id.to_string(),
            job.state.to_string(),
            job.kind.to_string(),
            job.summary.clone(),
            job.attempts.to_string(),
            error.to_owned(),
        ]);
    }
    println!("{table}");
}

fn print_job(job: &JobDetail) -> Result<(), Failure> {
    println!("{} {} {}: {}", job.kind, job.id, job.state, job.summary);
    if let Some(error) = &job.error {
        println!("\n{error}");
    }
    if let Some(payload) = &job.payload {
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap_or_else(|_| payload.clone().into());
        println!("\nvalues\n{}", serde_json::to_string_pretty(&payload).context("writing JSON")?);
    }
    if let Some(delivery) = &job.delivery {
        println!("\ndelivery\n{delivery}");
    }
    for attempt in &job.history {
        let error = attempt.error.as_deref().unwrap_or_default();
        println!("\nattempt {}: {} after {} ms {error}", attempt.n, attempt.outcome, attempt.duration_ms);
    }
    Ok(())
}

//! Media: pictures and files of messages, from their platform into Odoo.
//!
//! A job is made when its message is in Odoo, so no message waits for its file. Between platform and Odoo the bytes are
//! in memory only: if Odoo cannot take them, they are fetched again. Odoo attaches each file once.

use std::{sync::Arc, time::Duration};

use tracing::{info, warn};

use super::{Handler, push::release_if_away, try_again};
use crate::{
    clock::Clock,
    domain::{Attached, Attachment, Missing, file_name, plain_mime},
    fetch::{Fetching, MediaOrder, NotFetched},
    odoo::OdooError,
    sources::{FetchError, Got},
    store::{Job, JobKind, LONGEST_WAIT, Outcome},
    sync::{Backend, Session},
    telemetry::Metrics,
};

/// A file may be there a little later than its message: these are the waits, in seconds, until it is taken for gone.
const NOT_YET: [i64; 3] = [1, 5, 20];

/// Carries files into Odoo.
pub struct MediaHandler {
    /// Asks the platforms.
    pub fetching: Fetching,
    /// The connection to Odoo.
    pub backend: Backend,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Handler for MediaHandler {
    const KIND: JobKind = JobKind::Media;

    type Ready = Arc<Session>;

    /// Each may take as much memory as a file may have bytes, and half as much again.
    fn batch(&self) -> usize {
        1
    }

    /// One that is slow must not hold up all others.
    fn concurrency(&self) -> usize {
        2
    }

    fn lease(&self) -> Duration {
        // An address, the file with its redirects, and the call to Odoo, each with a timeout of its own.
        Duration::from_secs(15 * 60)
    }

    async fn ready(&self) -> Arc<Session> {
        self.backend.session().await
    }

    async fn run(&self, session: Arc<Session>, jobs: &[Job]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.push(match serde_json::from_str::<MediaOrder>(&job.payload) {
                Ok(order) => self.carry(&session, job, &order).await,
                Err(error) => Outcome::Park { error: format!("the stored reference is damaged: {error}") },
            });
        }
        outcomes
    }
}

impl MediaHandler {
    async fn carry(&self, session: &Session, job: &Job, order: &MediaOrder) -> Outcome {
        let (bytes, mime, missing) = match self.fetching.media(order).await {
            Ok(Got::File(file)) => (file.bytes, file.mime, None),
            Ok(Got::TooLarge) => (Vec::new(), None, Some(Missing::TooLarge)),
            // Perhaps only on its way.
            Ok(Got::Damaged) => match self.not_yet(job, "its bytes do not fit the platform's checksum") {
                Some(later) => return later,
                None => (Vec::new(), None, Some(Missing::Damaged)),
            },
            Err(NotFetched::Failed(FetchError::Missing(why))) => {
                match self.not_yet(job, &format!("the platform does not have it: {why}")) {
                    Some(later) => return later,
                    None => (Vec::new(), None, Some(Missing::Gone)),
                }
            }
            Err(error) => return self.not_fetched(job, order, error),
        };
        let result = missing.map_or("fetched", Missing::as_str);
        if let Some(missing) = missing {
            let (source, missing) = (&order.source, missing.as_str());
            warn!(source, job = job.id, missing, "a file of a message is not fetched; its message says so");
        }
        let mime = order.media.mime.as_deref().or(mime.as_deref()).and_then(plain_mime);
        let attachment = Attachment {
            source: order.source.clone(),
            message: order.message.clone(),
            index: order.index,
            name: file_name(&order.media, &order.kind, mime.as_deref()),
            mime,
            missing,
        };
        match session.bridge.attach(&order.operation, &attachment, bytes).await {
            Ok(attached) => {
                self.metrics.media(&order.source, if attached == Attached::Gone { "unwanted" } else { result });
                info!(source = order.source, job = job.id, result, ?attached, "a file of a message");
                Outcome::Done { result: None, then: Vec::new(), bindings: Vec::new() }
            }
            Err(error) => self.after_failure(job, &error),
        }
    }

    /// Another attempt, as long as there may be something.
    fn not_yet(&self, job: &Job, error: &str) -> Option<Outcome> {
        let seconds = NOT_YET.get(usize::try_from(job.attempts).ok()?)?;
        Some(Outcome::Retry {
            not_before: self.clock.now_ms().saturating_add(seconds * 1_000),
            error: error.to_owned(),
        })
    }

    fn not_fetched(&self, job: &Job, order: &MediaOrder, error: NotFetched) -> Outcome {
        let outcome = match error {
            NotFetched::Waits { until, reason } => {
                // A time that is farther away would count as a mistake of the clock.
                let longest = i64::try_from(LONGEST_WAIT.as_millis()).unwrap_or(i64::MAX);
                return Outcome::Release { not_before: until.min(self.clock.now_ms().saturating_add(longest)), reason };
            }
            NotFetched::NoSource(error) => Outcome::Park { error },
            NotFetched::Store(error) => try_again(job, &self.clock, None, &error.to_string()),
            NotFetched::Failed(error @ FetchError::Refused(_)) => {
                Outcome::Park { error: format!("the platform {error}") }
            }
            NotFetched::Failed(error) => try_again(job, &self.clock, None, &format!("the platform {error}")),
        };
        self.metrics.media(&order.source, "failed");
        if let Outcome::Park { error } = &outcome {
            warn!(source = order.source, job = job.id, error, "a file of a message cannot be fetched and is parked");
        }
        outcome
    }

    fn after_failure(&self, job: &Job, error: &OdooError) -> Outcome {
        warn!(%error, job = job.id, "a file of a message could not be put into Odoo");
        self.backend.report(error);
        match error {
            OdooError::TooLarge => Outcome::Park {
                error: "Odoo, or a proxy before it, takes no request as large as this file; allow more there and retry, or \
                        lower max_media_size"
                    .to_owned(),
            },
            OdooError::Refused { .. } | OdooError::Access { .. } => Outcome::Park { error: error.to_string() },
            _ => release_if_away(error, &self.clock)
                .unwrap_or_else(|| try_again(job, &self.clock, None, &error.to_string())),
        }
    }
}

//! Intake: from a stored delivery to the operations it asks for. No network.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::DateTime;

use super::{Handler, MailDomains, POLL, try_again};
use crate::{
    clock::Clock,
    domain::{Draft, Message, MessageDraft},
    fetch::Order,
    intake::{Intake, IntakeContext, NewPush},
    sources::{Content, Reference, Registry, identity_of},
    store::{Delivery, Job, JobKind, Lane, NewJob, Outcome, Store},
};

/// So many live operations are more than Odoo takes while the next ones are planned.
pub const AHEAD: usize = 1024;

/// Parses deliveries and plans their operations.
pub struct IntakeHandler {
    /// Where deliveries are kept.
    pub store: Store,
    /// The configured sources.
    pub sources: Arc<Registry>,
    /// The steps from drafts to operations.
    pub intake: Arc<Intake>,
    /// The time.
    pub clock: Clock,
    /// Asks which domains take no mail, if that is wanted.
    pub mail: Option<Arc<MailDomains>>,
    /// Waits while so many live operations could be pushed now. None: never.
    pub ahead: Option<usize>,
}

impl Handler for IntakeHandler {
    const KIND: JobKind = JobKind::Intake;

    type Ready = ();

    fn batch(&self) -> usize {
        256
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// What Odoo cannot take yet need not be planned yet: under a flood the senders' answers go first.
    async fn ready(&self) {
        let Some(ahead) = self.ahead else { return };
        let mut pushed = self.store.job_added(JobKind::Push);
        // A store that cannot be read says so when jobs are claimed.
        while self.store.has_claimable(JobKind::Push, ahead).await.unwrap_or(false) {
            // Also looked at now and then: another process may have taken jobs away.
            tokio::time::timeout(POLL, pushed.changed()).await.ok();
        }
    }

    async fn run(&self, (): (), jobs: &[Job]) -> Vec<Outcome> {
        // A job without a delivery is none of ours; an id that no delivery has finds none.
        let ids = jobs.iter().map(|job| job.delivery_id.unwrap_or_default()).collect();
        let deliveries = match self.store.deliveries(ids).await {
            Ok(deliveries) => deliveries,
            Err(error) => {
                return jobs.iter().map(|job| try_again(job, &self.clock, None, &error.to_string())).collect();
            }
        };
        let read: Vec<_> = deliveries
            .into_iter()
            .map(|delivery| {
                let delivery = delivery.ok_or("its delivery is gone")?;
                let content = read(&self.sources, &delivery)?;
                Ok::<_, String>((delivery, content))
            })
            .collect();
        let no_mail = match &self.mail {
            Some(mail) => mail.without_mail(read.iter().flatten().flat_map(|(_, content)| drafts(content))).await,
            None => BTreeSet::new(),
        };
        jobs.iter()
            .zip(read)
            .map(|(job, read)| {
                let then =
                    read.and_then(|(delivery, content)| jobs_of(&self.intake, &delivery, job.lane, content, &no_mail));
                match then {
                    Ok(then) => Outcome::Done { result: None, then, bindings: Vec::new() },
                    Err(error) => Outcome::Park { error },
                }
            })
            .collect()
    }
}

/// What a delivery says. The error is for a person: the delivery stays and can be tried again once its cause is mended.
pub fn read(sources: &Registry, delivery: &Delivery) -> Result<Content, String> {
    let source = sources.get(&delivery.source).ok_or_else(|| {
        format!("source `{}` is no longer configured; add [sources.{0}] again and retry", delivery.source)
    })?;
    Ok(source.parse(&delivery.body).map_err(|error| error.to_string())?.content)
}

/// The jobs that follow from what a delivery says; `no_mail` are domains that take none.
pub fn jobs_of(
    intake: &Intake,
    delivery: &Delivery,
    lane: Lane,
    content: Content,
    no_mail: &BTreeSet<String>,
) -> Result<Vec<NewJob>, String> {
    let drafts = match content {
        Content::Drafts(drafts) => drafts,
        Content::References(references) => {
            let order = |reference| Order { source: delivery.source.clone(), reference };
            return Ok(references.into_iter().map(|one| order(one).job("lead", lane, Some(delivery.id))).collect());
        }
        Content::Changes(_) => return Err("changes from Odoo need no intake".to_owned()),
    };
    let nameless = drafts.iter().filter_map(nameless);
    let nameless: Vec<_> = nameless.map(|reference| Order { source: delivery.source.clone(), reference }).collect();
    let received_at = DateTime::from_timestamp_millis(delivery.received_at).unwrap_or_default();
    let context = IntakeContext { silent: lane == Lane::Backfill, received_at, no_mail: no_mail.clone() };
    let planned = intake.plan(identity_of(&delivery.source), &delivery.key, drafts, &context);
    let job = |push: NewPush| NewJob {
        kind: JobKind::Push,
        lane,
        key: push.operation.key.clone(),
        record_key: Some(push.record_key),
        payload: serde_json::to_string(&push.operation).unwrap_or_default(),
        not_before: 0,
        delivery_id: Some(delivery.id),
        summary: push.summary,
        held: push.held,
    };
    let orders = nameless.into_iter().map(|order| order.job("name of", lane, Some(delivery.id)));
    Ok(planned.into_iter().map(job).chain(orders).collect())
}

/// The person of a message, if the platform has to be asked for their name.
fn nameless(draft: &Draft) -> Option<Reference> {
    let Draft::Message(draft) = draft else { return None };
    let MessageDraft { message: Message { people, account, .. }, asks_name: true, .. } = &**draft else { return None };
    Some(Reference { lead_id: people.first()?.clone(), account: Some(account.clone()), form_id: None })
}

/// The drafts of what was read.
fn drafts(content: &Content) -> &[Draft] {
    match content {
        Content::Drafts(drafts) => drafts,
        Content::References(_) | Content::Changes(_) => &[],
    }
}

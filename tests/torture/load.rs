//! Load from both sides: platforms that deliver leads until each delivery is acknowledged, and people who save leads in
//! Odoo, now and then in vain.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use g_assistant::odoo::Call;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{
    daemon::{Answer, deliver, http_client},
    odoo::Person,
};

/// How senders go about it.
#[derive(Debug, Clone)]
pub struct Pace {
    /// How many deliver at the same time.
    pub senders: usize,
    /// Most leads per delivery.
    pub leads: usize,
    /// Longest pause between two deliveries of one sender.
    pub pause: Duration,
    /// Characters of the message of each lead.
    pub text: usize,
}

/// What the senders know.
#[derive(Debug, Default)]
pub struct Sent {
    /// Leads of acknowledged deliveries, with the delivery.
    pub acknowledged: BTreeMap<String, String>,
    /// All that were tried.
    pub attempted: BTreeSet<String>,
    /// Answers by status.
    pub answers: BTreeMap<u16, usize>,
    /// Refusals (503) that did not say when to come back.
    pub without_retry_after: usize,
}

impl Sent {
    /// A delivery with these leads got a 2xx.
    pub fn acknowledge(&mut self, names: impl IntoIterator<Item = String>, delivery: &str) {
        for name in names {
            self.acknowledged.entry(name).or_insert_with(|| delivery.to_owned());
        }
    }

    fn count(&mut self, answer: &Answer) {
        *self.answers.entry(answer.status).or_default() += 1;
        self.without_retry_after += usize::from(answer.status == 503 && answer.retry_after.is_none());
    }
}

/// Load that runs until it is stopped.
pub struct Load {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    pub sent: Arc<Mutex<Sent>>,
}

impl Load {
    /// Nobody yet.
    pub fn new() -> Load {
        Load { tasks: JoinSet::new(), stop: CancellationToken::new(), sent: Arc::default() }
    }

    /// Sends leads named after `name` to the website's address at `url`.
    pub fn senders(&mut self, name: &str, url: &str, pace: &Pace, dice: &mut StdRng) {
        for number in 0..pace.senders {
            let sender = Sender {
                name: format!("{name}-{number}"),
                address: format!("{url}/api/webhooks/website"),
                pace: pace.clone(),
                dice: StdRng::seed_from_u64(dice.random()),
                sent: Arc::clone(&self.sent),
                stop: self.stop.clone(),
            };
            self.tasks.spawn(sender.run());
        }
    }

    /// People who create, change and delete leads of their own.
    pub fn people(&mut self, name: &str, person: &Person, count: usize, pause: Duration, dice: &mut StdRng) {
        for number in 0..count {
            let keyboard = Keyboard {
                name: format!("{name}-person-{number}"),
                person: person.clone(),
                pause,
                dice: StdRng::seed_from_u64(dice.random()),
                stop: self.stop.clone(),
                leads: Vec::new(),
            };
            self.tasks.spawn(keyboard.run());
        }
    }

    pub fn sent(&self) -> std::sync::MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many leads were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.sent().acknowledged.len()
    }

    /// Lets everyone finish what they are doing; what was not acknowledged by then never is.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("the load does not fail");
        }
        self.stop = CancellationToken::new();
    }
}

struct Sender {
    name: String,
    address: String,
    pace: Pace,
    dice: StdRng,
    sent: Arc<Mutex<Sent>>,
    stop: CancellationToken,
}

impl Sender {
    async fn run(mut self) {
        let http = http_client();
        for number in 0.. {
            if self.stop.is_cancelled() {
                return;
            }
            let id = format!("{}-{number}", self.name);
            let mut names: Vec<String> =
                (0..self.dice.random_range(1..=self.pace.leads)).map(|lead| format!("{id}-{lead}")).collect();
            // Now and then a lead comes again, with another city.
            if number > 0 && self.dice.random_bool(0.2) {
                names.push(format!("{}-{}-0", self.name, self.dice.random_range(0..number)));
            }
            let message = "x".repeat(self.pace.text);
            let lead =
                |name: &String| json!({"external_id": name, "contact_name": name, "city": id, "message": message});
            let leads: Vec<Value> = names.iter().map(lead).collect();
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).attempted.extend(names.iter().cloned());
            if !self.deliver(&http, &id, &json!({ "leads": leads })).await {
                return;
            }
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).acknowledge(names, &id);
            let pause = self.pace.pause.mul_f64(self.dice.random());
            tokio::time::sleep(pause).await;
        }
    }

    /// As a platform does: the same delivery until it is acknowledged. False if the load was stopped before.
    async fn deliver(&mut self, http: &reqwest::Client, id: &str, body: &Value) -> bool {
        let body = body.to_string();
        loop {
            let answer = deliver(http, &self.address, id, body.as_bytes(), chrono::Utc::now().timestamp()).await;
            if let Ok(answer) = answer {
                self.sent.lock().unwrap_or_else(PoisonError::into_inner).count(&answer);
                if matches!(answer.status, 200..300) {
                    return true;
                }
            }
            if self.stop.is_cancelled() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(self.dice.random_range(10..100))).await;
        }
    }
}

struct Keyboard {
    name: String,
    person: Person,
    pause: Duration,
    dice: StdRng,
    stop: CancellationToken,
    leads: Vec<i64>,
}

impl Keyboard {
    async fn run(mut self) {
        for number in 0.. {
            if self.stop.is_cancelled() {
                return;
            }
            // It may fail, or be carried out and not be answered: the trigger in the database knows.
            let _ = self.save(&format!("{}-{number}", self.name)).await;
            tokio::time::sleep(self.pause.mul_f64(self.dice.random())).await;
        }
    }

    async fn save(&mut self, text: &str) -> Result<(), g_assistant::odoo::OdooError> {
        let act = self.dice.random_range(0..100);
        let chosen = (!self.leads.is_empty()).then(|| self.dice.random_range(0..self.leads.len()));
        let Some(chosen) = chosen.filter(|_| act >= 30) else {
            let values = json!([{"name": text, "city": text}]);
            let made = self.person.try_call(Call::new("crm.lead", "create").arg("vals_list", values)).await?;
            self.leads.extend(made[0].as_i64());
            return Ok(());
        };
        let id = self.leads[chosen];
        let write = |vals: Value| Call::new("crm.lead", "write").on([id]).arg("vals", vals);
        let call = match act {
            30..70 => write(json!({"city": text})),
            // The database's own rule throws this out after the city was written.
            70..85 => write(json!({"city": text, "contact_name": crate::stage::FORBIDDEN})),
            85..92 => write(json!({"phone": format!("+96650{:07}", self.dice.random_range(0..10_000_000))})),
            92..96 => Call::new("crm.lead", "action_archive").on([id]),
            _ => {
                self.leads.swap_remove(chosen);
                Call::new("crm.lead", "unlink").on([id])
            }
        };
        self.person.try_call(call).await.map(drop)
    }
}

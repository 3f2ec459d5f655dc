//! Whether an account of a platform may be asked now.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::{
    domain::{PlatformState, PlatformStatus},
    sources::{FetchError, Setting},
};

/// The first wait after a failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);
/// How long before its end a token is warned of.
const EXPIRES_SOON: chrono::TimeDelta = chrono::TimeDelta::days(14);

/// One gate for each account of each source.
pub(super) struct Gates {
    all: Mutex<BTreeMap<(String, String), Gate>>,
    status: watch::Sender<Vec<PlatformStatus>>,
}

#[derive(Default)]
struct Gate {
    /// Closed until then (ms).
    until: i64,
    /// Failures since it last answered.
    failures: u32,
    /// What is not right with the way to it, and with what came.
    warnings: [Vec<String>; 2],
    status: PlatformStatus,
}

impl Gate {
    /// Replaces the warnings of one kind; what is new in them is logged.
    fn warn(&mut self, kind: usize, warnings: Vec<String>) {
        let PlatformStatus { source, account, .. } = &self.status;
        for warning in warnings.iter().filter(|warning| !self.warnings[kind].contains(warning)) {
            warn!(source, account, warning, "a platform needs attention");
        }
        self.warnings[kind] = warnings;
        self.status.warnings = self.warnings.concat();
    }
}

impl Gates {
    /// These accounts are shown from the start; further ones when they are first heard of.
    pub(super) fn new(accounts: Vec<(String, String)>) -> Self {
        let gates = Self { all: Mutex::default(), status: watch::Sender::new(Vec::new()) };
        for (source, account) in accounts {
            gates.change(&source, &account, |_| ());
        }
        gates
    }

    pub(super) fn status(&self) -> watch::Receiver<Vec<PlatformStatus>> {
        self.status.subscribe()
    }

    /// Until when the account must be left alone, and why; `None` if it need not.
    pub(super) fn closed(&self, source: &str, account: &str, now: i64) -> Option<(i64, String)> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = all.get(&(source.to_owned(), account.to_owned()))?;
        (gate.until > now).then(|| (gate.until, gate.status.detail.clone().unwrap_or_default()))
    }

    /// Notes a failure. Until when the account is left alone; `None` if it was only about what was asked for.
    pub(super) fn failed(&self, source: &str, account: &str, error: &FetchError, now: DateTime<Utc>) -> Option<i64> {
        let (state, asked, hint) = match error {
            FetchError::Unreachable(_) => (PlatformState::Unreachable, None, None),
            FetchError::Limited { wait, .. } => (PlatformState::Limited, Some(*wait), None),
            FetchError::Denied { hint, .. } => (PlatformState::Denied, None, Some(hint.clone())),
            FetchError::Missing(_) | FetchError::Failed(_) | FetchError::Refused(_) => return None,
        };
        self.change(source, account, |gate| {
            // What was asked before the gate closed says the same once more.
            if gate.until <= now.timestamp_millis() {
                gate.failures += 1;
                let wait = asked.unwrap_or_else(|| wait(gate.failures));
                gate.until = now.timestamp_millis().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            }
            if gate.status.state != state {
                gate.status.state = state;
                gate.status.since = Some(now);
                let hint = hint.as_deref().unwrap_or("it goes on by itself");
                match state {
                    PlatformState::Denied => error!(source, account, %error, hint, "nothing can be fetched"),
                    _ => warn!(source, account, %error, hint, "what is to be fetched has to wait"),
                }
            }
            gate.status.detail = Some(error.to_string());
            gate.status.hint = hint;
            Some(gate.until)
        })
    }

    /// Notes an answer. Whether it is the first after failures.
    pub(super) fn answered(&self, source: &str, account: &str, now: DateTime<Utc>) -> bool {
        self.change(source, account, |gate| {
            let healed = gate.status.state != PlatformState::Ok;
            if healed {
                info!(source, account, was = gate.status.state.as_str(), "fetching goes on");
                let kept = std::mem::take(&mut gate.status);
                *gate = Gate {
                    warnings: std::mem::take(&mut gate.warnings),
                    status: PlatformStatus {
                        state: PlatformState::Ok,
                        since: Some(now),
                        detail: None,
                        hint: None,
                        ..kept
                    },
                    ..Gate::default()
                };
            }
            healed
        })
    }

    /// Notes how the way to the account is set up.
    pub(super) fn setting(&self, source: &str, account: &str, setting: Setting, now: DateTime<Utc>) {
        let Setting { token_expires_at, is_refresh_token, mut warnings } = setting;
        if let Some(end) = token_expires_at.filter(|end| *end - now < EXPIRES_SOON) {
            let day = end.format("%Y-%m-%d %H:%M");
            let token = if is_refresh_token { "refresh token" } else { "token" };
            warnings.push(format!("the {token} expires at {day} UTC: make a new one before, and put it in its place"));
        }
        self.change(source, account, |gate| {
            gate.status.token_expires_at = token_expires_at;
            gate.warn(0, warnings);
        });
    }

    /// Notes what Odoo does not have although everything was compared.
    pub(super) fn differ(&self, source: &str, account: &str, differences: Vec<String>) {
        self.change(source, account, |gate| gate.warn(1, differences));
    }

    /// Notes that everything was compared.
    pub(super) fn reconciled(&self, source: &str, account: &str, now: DateTime<Utc>) {
        self.change(source, account, |gate| gate.status.reconciled_at = Some(now));
    }

    fn change<T>(&self, source: &str, account: &str, change: impl FnOnce(&mut Gate) -> T) -> T {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = all.entry((source.to_owned(), account.to_owned())).or_insert_with(|| Gate {
            status: PlatformStatus { source: source.to_owned(), account: account.to_owned(), ..Default::default() },
            ..Gate::default()
        });
        let result = change(gate);
        self.status.send_replace(all.values().map(|gate| gate.status.clone()).collect());
        result
    }
}

fn wait(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time")
    }

    fn denied() -> FetchError {
        FetchError::Denied { detail: "190 expired".to_owned(), hint: "make a new token".to_owned() }
    }

    #[test]
    fn a_closed_account_waits_longer_each_time_and_opens_with_the_first_answer() {
        let gates = Gates::new(vec![("meta".to_owned(), "1".to_owned())]);
        let ms = |seconds| at(seconds).timestamp_millis();
        assert_eq!(gates.closed("meta", "1", ms(0)), None);
        let mut now = 0;
        for wait in [5, 10, 20, 40, 80, 160, 300, 300] {
            assert_eq!(gates.failed("meta", "1", &denied(), at(now)), Some(ms(now + wait)));
            // Those that were under way at the same time do not make it longer.
            assert_eq!(gates.failed("meta", "1", &denied(), at(now)), Some(ms(now + wait)));
            let (until, reason) = gates.closed("meta", "1", ms(now + wait - 1)).expect("closed");
            assert_eq!((until, reason.as_str()), (ms(now + wait), "refuses: 190 expired"));
            now += wait;
            assert_eq!(gates.closed("meta", "1", ms(now)), None, "one may try");
        }
        assert_eq!(gates.closed("meta", "2", ms(0)), None, "another account is another matter");
        let status = gates.status().borrow()[0].clone();
        assert_eq!((status.state, status.since), (PlatformState::Denied, Some(at(0))));
        assert_eq!(status.hint.as_deref(), Some("make a new token"));

        assert!(gates.answered("meta", "1", at(now)));
        assert!(!gates.answered("meta", "1", at(now)));
        let status = gates.status().borrow()[0].clone();
        assert_eq!((status.state, status.detail, status.since), (PlatformState::Ok, None, Some(at(now))));
        assert_eq!(gates.failed("meta", "1", &denied(), at(now)), Some(ms(now + 5)));
    }

    #[test]
    fn what_is_wrong_with_one_lead_closes_nothing() {
        let gates = Gates::new(Vec::new());
        for error in
            [FetchError::Missing(String::new()), FetchError::Failed(String::new()), FetchError::Refused(String::new())]
        {
            assert_eq!(gates.failed("meta", "1", &error, at(0)), None);
        }
        let limited = FetchError::Limited { detail: String::new(), wait: Duration::from_secs(1_140) };
        assert_eq!(gates.failed("meta", "1", &limited, at(0)), Some(at(1_140).timestamp_millis()));
    }

    #[test]
    fn a_token_that_ends_soon_is_told() {
        let gates = Gates::new(Vec::new());
        let expires =
            |days| Setting { token_expires_at: Some(at(0) + chrono::TimeDelta::days(days)), ..Setting::default() };
        gates.setting("meta", "1", expires(15), at(0));
        assert!(gates.status().borrow()[0].warnings.is_empty());
        gates.setting("meta", "1", expires(13), at(0));
        let expected = "the token expires at 2023-11-27 22:13 UTC: make a new one before, and put it in its place";
        assert_eq!(gates.status().borrow()[0].warnings, [expected]);
    }
}

//! When to try again: a pure function of what happened, so that it can be stored and tested.

use std::time::Duration;

use crate::store::LONGEST_WAIT;

/// The first delay; each further attempt doubles it.
const BASE: Duration = Duration::from_secs(2);

/// How long to wait after failed attempt number `attempt` (from 1). `jitter` in `0.0..1.0` spreads jobs that failed
/// together over ±20 %. A server's `Retry-After` is honoured within the longest delay, and never shortened by jitter.
pub fn delay(attempt: u32, retry_after: Option<Duration>, jitter: f64) -> Duration {
    let doubled = BASE.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST_WAIT);
    let spread = doubled.mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0));
    spread.max(retry_after.unwrap_or_default()).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_up_to_the_longest() {
        let seconds: Vec<_> = (1..=12).map(|attempt| delay(attempt, None, 0.5).as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    }

    #[test]
    fn honours_retry_after_within_reason() {
        assert_eq!(delay(1, Some(Duration::from_secs(60)), 0.0), Duration::from_secs(60));
        assert_eq!(delay(1, Some(Duration::from_secs(86_400)), 0.0), LONGEST_WAIT);
    }

    proptest! {
        #[test]
        fn is_always_within_bounds(attempt in 0u32.., after in proptest::option::of(0u64..1_000_000), jitter in -1.0..2.0) {
            let wait = delay(attempt, after.map(Duration::from_secs), jitter);
            prop_assert!(wait >= BASE.mul_f64(0.79) && wait <= LONGEST_WAIT);
        }
    }
}

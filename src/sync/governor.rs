//! How many calls to Odoo are under way at once: as many as make it faster, and no more.
//!
//! An Odoo with worker processes carries one call per worker; a threaded one carries no more with two calls than with
//! one. Nobody says which it is, so the governor tries it out while there is more work than the calls can take:
//!
//! 1. it measures the rate (operations per second) over a few full batches
//! 2. it tries one call more, and keeps it if the rate grows by [`GAIN`]: a user's click may wait behind each call
//! 3. else it tries one call fewer, and keeps to that if the rate falls by less than [`LOSS`]
//! 4. when nothing more helps it rests, each time longer
//!
//! After a failed call it goes on with one.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Most calls at once: a companion leaves workers to the people.
const MOST: usize = 4;
/// Calls at once before anything is measured: one works while the other is on its way.
const FIRST: usize = 2;
/// What one more call must bring.
const GAIN: f64 = 1.15;
/// What one call fewer may cost.
const LOSS: f64 = 0.9;
/// Measurements between two rounds of trying: at first, and at most.
const SHORT_REST: u32 = 8;
const LONG_REST: u32 = 256;

/// Shared by all batches of one Odoo.
#[derive(Debug)]
pub struct Governor(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The best number of calls so far.
    kept: usize,
    phase: Phase,
    next_rest: u32,
    window: Window,
}

/// What is being measured; `rate` is that of the kept number.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Nothing is tried for so many measurements.
    Rest(u32),
    /// One call more. `climbed`: the one before helped.
    More { rate: f64, climbed: bool },
    /// One call fewer.
    Fewer { rate: f64 },
}

/// One measurement.
#[derive(Debug, Default)]
struct Window {
    batches: usize,
    began: Option<Instant>,
    operations: usize,
}

impl Default for Governor {
    fn default() -> Self {
        Self(Mutex::new(State { kept: FIRST, phase: Phase::Rest(0), next_rest: SHORT_REST, window: Window::default() }))
    }
}

impl Governor {
    /// How many calls may be under way.
    pub fn calls(&self) -> usize {
        self.lock().calls()
    }

    /// As many operations as a batch may have were done by `now`.
    pub fn full_batch(&self, operations: usize, now: Instant) {
        let mut state = self.lock();
        let calls = state.calls();
        if let Some(rate) = state.window.add(operations, calls, now) {
            state.measured(rate);
        }
    }

    /// A batch was not full: there is no backlog, and nothing to be learnt.
    pub fn small_batch(&self) {
        self.lock().window = Window::default();
    }

    /// A call has failed.
    pub fn failed(&self) {
        let mut state = self.lock();
        state.kept = 1;
        state.rest();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// The rate, once enough batches have ended. The first ones began under another number of calls.
    fn add(&mut self, operations: usize, calls: usize, now: Instant) -> Option<f64> {
        self.batches += 1;
        if self.batches < calls {
            return None;
        }
        let Some(began) = self.began else {
            self.began = Some(now);
            return None;
        };
        self.operations += operations;
        let seconds = now.duration_since(began).as_secs_f64();
        (self.batches >= 3 * calls).then(|| self.operations as f64 / seconds.max(f64::EPSILON))
    }
}

impl State {
    fn calls(&self) -> usize {
        match self.phase {
            Phase::Rest(_) => self.kept,
            Phase::More { .. } => self.kept + 1,
            Phase::Fewer { .. } => self.kept - 1,
        }
    }

    fn measured(&mut self, rate: f64) {
        self.window = Window::default();
        match self.phase {
            Phase::Rest(0) => self.try_more(rate, false),
            Phase::Rest(left) => self.phase = Phase::Rest(left - 1),
            Phase::More { rate: before, .. } if rate >= before * GAIN => {
                self.keep();
                self.try_more(rate, true);
            }
            Phase::More { rate: before, climbed: false } => self.try_fewer(before),
            Phase::Fewer { rate: before } if rate >= before * LOSS => {
                self.keep();
                self.try_fewer(rate);
            }
            Phase::More { .. } | Phase::Fewer { .. } => self.rest(),
        }
    }

    fn keep(&mut self) {
        self.kept = self.calls();
        self.next_rest = SHORT_REST;
    }

    fn try_more(&mut self, rate: f64, climbed: bool) {
        if self.kept < MOST {
            self.phase = Phase::More { rate, climbed };
        } else if climbed {
            self.rest();
        } else {
            self.try_fewer(rate);
        }
    }

    fn try_fewer(&mut self, rate: f64) {
        if self.kept > 1 {
            self.phase = Phase::Fewer { rate };
        } else {
            self.rest();
        }
    }

    fn rest(&mut self) {
        self.window = Window::default();
        self.phase = Phase::Rest(self.next_rest);
        self.next_rest = (self.next_rest * 2).min(LONG_REST);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BATCH: usize = 200;

    /// Runs full batches through an Odoo whose rate at so many calls is `rate`; returns the calls that each began with.
    fn run(governor: &Governor, batches: usize, rate: impl Fn(usize) -> f64) -> Vec<usize> {
        let mut now = Instant::now();
        (0..batches)
            .map(|_| {
                let calls = governor.calls();
                now += Duration::from_secs_f64(BATCH as f64 / rate(calls));
                governor.full_batch(BATCH, now);
                calls
            })
            .collect()
    }

    fn workers(count: usize) -> impl Fn(usize) -> f64 {
        move |calls| 150.0 * calls.min(count) as f64
    }

    #[test]
    fn finds_as_many_calls_as_there_are_workers() {
        for (count, expected) in [(1, 1), (2, 2), (3, 3), (16, MOST)] {
            let governor = Governor::default();
            run(&governor, 60, workers(count));
            let mut calls = run(&governor, 10, workers(count));
            calls.dedup();
            assert_eq!(calls, [expected], "{count} workers");
        }
    }

    #[test]
    fn tries_again_after_a_rest_and_more_and_more_rarely() {
        let governor = Governor::default();
        run(&governor, 60, workers(1));
        let later = run(&governor, 2_000, workers(1));
        let tried = later.iter().filter(|calls| **calls > 1).count();
        assert!(tried > 0, "an Odoo that got more workers is found out");
        assert!(tried < 200, "{tried} of 2,000 batches on trials");
        run(&governor, 2_000, workers(3));
        assert_eq!(governor.calls(), 3);
    }

    #[test]
    fn learns_nothing_without_a_backlog() {
        let governor = Governor::default();
        for _ in 0..100 {
            run(&governor, 1, workers(1));
            governor.small_batch();
        }
        assert_eq!(governor.calls(), FIRST);
    }

    #[test]
    fn a_failure_leaves_one_call() {
        let governor = Governor::default();
        run(&governor, 60, workers(4));
        assert_eq!(governor.calls(), 4);
        governor.failed();
        assert_eq!(governor.calls(), 1);
        run(&governor, 200, workers(4));
        assert_eq!(governor.calls(), 4);
    }
}

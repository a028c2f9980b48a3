//! What the safe profile costs an upstream that is down, and what it loses on
//! one that is mostly up: the real component in the real loop, on a virtual clock.

use std::{cell::Cell, sync::Arc, time::Duration};

use futures::executor::block_on;
use host_harness::{
    contract::{HttpError, Outcome},
    gateway::{Content, Finished, Gateway, Limits, LogicalCall, Reply, Unobserved},
};

use crate::{
    plugin_under_test::{OK, try_start},
    virtual_clock::VirtualClock,
};

/// An attempt that ended so.
#[derive(Debug, Clone, Copy)]
pub struct Ended(pub Outcome);

impl Reply for Ended {
    fn outcome(&self) -> Outcome {
        self.0
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        None
    }

    fn timed_out(_: Duration) -> Self {
        unreachable!("no attempt here has a timeout")
    }
}

/// What nobody knows of whether it was done.
const FAILED: Outcome = Outcome::HttpError(HttpError { status: 503, pushback_ms: None });

const PLAIN: &str = r#"{"max_retries": 3}"#;
/// The tool is safe to call twice; otherwise the safe profile would not touch it.
const SAFE: &str = r#"{"profile": "safe", "idempotent": true}"#;

/// What came of a run.
struct Run {
    attempts: u32,
    /// By call: whether the client got a success.
    saved: Vec<bool>,
}

/// Runs calls one after the other, one every `interval`; `outcome` says how an
/// attempt (from 0) of a call ends.
fn run(config: &str, calls: u32, interval: Duration, outcome: impl Fn(u32, u32) -> Outcome) -> Run {
    let clock = VirtualClock::default();
    let gateway = Gateway {
        hook: Some(Arc::new(try_start(config, 3).expect("a good configuration"))),
        limits: Limits::default(),
        clock: Arc::new(clock.clone()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: Arc::new(Unobserved),
    };
    let attempts = Cell::new(0);
    let saved = (0..calls).map(|number| {
        clock.advance(interval);
        let call = LogicalCall::new("t", number.to_string());
        let finished = block_on(gateway.run(&call, |attempt| {
            attempts.set(attempts.get() + 1);
            let ended = Ended(outcome(number, attempt.retries()));
            async move { ended }
        }));
        let Finished::Answered { reply, .. } = finished else { panic!("nobody cancelled") };
        reply.0 == OK
    });
    let saved = saved.collect();
    Run { attempts: attempts.get(), saved }
}

/// A number from 0 to 9,999 that looks random and depends on nothing but its
/// arguments (SplitMix64's finisher).
pub fn chance(call: u32, attempt: u32) -> u64 {
    let mut bits = (u64::from(call) << 8 | u64::from(attempt)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ bits >> 31) % 10_000
}

pub const UNAVAILABLE: Outcome = Outcome::HttpError(HttpError { status: 503, pushback_ms: None });
pub const THROTTLED: Outcome = Outcome::HttpError(HttpError { status: 429, pushback_ms: None });

/// The ways to fail, each alone and all in turn.
fn failure(kind: usize, call: u32) -> Outcome {
    let kinds = [FAILED, Outcome::TimedOut, UNAVAILABLE, THROTTLED];
    kinds.get(kind).copied().unwrap_or(kinds[call as usize % 4])
}

#[test]
fn an_upstream_that_is_down_gets_at_most_five_percent_more_calls() {
    for interval_ms in [10, 100, 1_000, 10_000] {
        for kind in 0..5 {
            let interval = Duration::from_millis(interval_ms);
            let run = run(SAFE, 3_000, interval, |call, _| failure(kind, call));
            let added = run.attempts - 3_000;
            assert!(added <= 150, "{added} more at an interval of {interval:?}, failures {kind}");
            assert!(added > 0, "retries are on");
        }
    }
}

#[test]
fn at_five_percent_failure_at_most_a_thousandth_is_lost_of_what_three_retries_save() {
    const CALLS: u32 = 20_000;
    for kind in 0..5 {
        let outcome = |call, attempt| {
            if chance(call, attempt) < 500 { failure(kind, call) } else { OK }
        };
        let interval = Duration::from_millis(100);
        let plain = run(PLAIN, CALLS, interval, outcome);
        let safe = run(SAFE, CALLS, interval, outcome);
        let failed_at_first = |call: &usize| outcome(*call as u32, 0) != OK;
        let saved: Vec<usize> =
            (0..CALLS as usize).filter(failed_at_first).filter(|call| plain.saved[*call]).collect();
        let lost = saved.iter().filter(|call| !safe.saved[**call]).count();
        assert!((900..1_100).contains(&saved.len()), "about 5 %: {}", saved.len());
        assert!(lost * 1_000 <= saved.len(), "{lost} of {} lost, failures {kind}", saved.len());
    }
}

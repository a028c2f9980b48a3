//! Storms over several tools, and over failures that no retry cures: what the
//! safe profile still saves. The real component in the real loop, on a virtual clock.

use std::{cell::Cell, sync::Arc, time::Duration};

use futures::executor::block_on;
use host_harness::{
    contract::Outcome,
    gateway::{CallContext, Gateway, InProcessBudgets, Limits, LogicalCall, Unobserved},
};

use super::long_run::{Ended, UNAVAILABLE, chance};
use crate::{
    plugin_under_test::{FAILED, OK, start},
    virtual_clock::VirtualClock,
};

const SAFE: &str = r#"{"profile": "safe", "idempotent": true}"#;

/// Calls of one upstream, one every `interval`.
struct Storm {
    calls: u32,
    interval: Duration,
    /// The name of the upstream, if it has one.
    upstream: Option<&'static str>,
}

/// What became of a call.
struct Call {
    number: u32,
    attempts: u32,
}

impl Storm {
    /// Runs it; `outcome` says how an attempt (from 0) of a call ends.
    fn run(
        &self,
        tool: impl Fn(u32) -> String,
        outcome: impl Fn(u32, u32) -> Outcome,
    ) -> Vec<Call> {
        let clock = VirtualClock::default();
        let gateway = Gateway {
            hook: Some(Arc::new(start(SAFE))),
            limits: Limits::default(),
            clock: Arc::new(clock.clone()),
            budgets: Arc::new(InProcessBudgets::default()),
            observer: Arc::new(Unobserved),
        };
        let run = |number: u32| {
            clock.advance(self.interval);
            let upstream = self.upstream.map(str::to_owned);
            let context = CallContext { upstream, ..CallContext::default() };
            let call = LogicalCall::new(tool(number), number.to_string());
            let call = LogicalCall { context: Arc::new(context), ..call };
            let attempts = Cell::new(0);
            block_on(gateway.run(&call, |attempt| {
                attempts.set(attempt.number());
                let ended = Ended(outcome(number, attempt.retries()));
                async move { ended }
            }));
            Call { number, attempts: attempts.get() }
        };
        (0..self.calls).map(run).collect()
    }
}

#[test]
fn while_one_tool_of_ten_is_down_the_failures_of_the_others_are_retried() {
    for upstream in [Some("u"), None] {
        // 50 calls/s over ten tools for six minutes; tool 0 is down from 60 s on.
        let storm = Storm { calls: 18_000, interval: Duration::from_millis(20), upstream };
        let down = |number: u32| number.is_multiple_of(10) && number >= 3_000;
        let calls = storm.run(
            |number| format!("tool-{}", number % 10),
            |number, attempt| {
                let fails = down(number) || chance(number, attempt) < 200;
                if fails { UNAVAILABLE } else { OK }
            },
        );
        let failed = calls.iter().filter(|call| {
            call.number >= 3_000 && call.number % 10 != 0 && chance(call.number, 0) < 200
        });
        let (mut all, mut retried) = (0, 0);
        for call in failed {
            all += 1;
            retried += u32::from(call.attempts > 1);
        }
        let attempts: u32 = calls.iter().map(|call| call.attempts).sum();
        println!(
            "one of ten down, {upstream:?}: {retried} of {all} retried, {attempts} attempts of 18000 calls"
        );
        assert!(all > 200, "{all}");
        assert!(retried * 100 >= all * 95, "{retried} of {all}, {upstream:?}");
        assert!(attempts <= 18_000 * 104 / 100, "{attempts}");
    }
}

#[test]
fn real_failures_are_retried_beside_calls_that_never_succeed() {
    for (share, interval_ms) in [
        (0, 1_000),
        (200, 1_000),
        (500, 1_000),
        (1_000, 50),
        (1_000, 1_000),
        (1_000, 10_000),
        (2_500, 1_000),
    ] {
        let interval = Duration::from_millis(interval_ms);
        let storm = Storm { calls: 6_000, interval, upstream: Some("u") };
        // By call: 1 % fail once, `share` of the others always say `isError`.
        let real = |number: u32| chance(number, 100) < 100;
        let deterministic = |number: u32| !real(number) && chance(number, 101) < share;
        let calls = storm.run(
            |_| "t".to_owned(),
            |number, attempt| match (real(number), deterministic(number)) {
                (true, _) if attempt == 0 => UNAVAILABLE,
                (false, true) => FAILED,
                _ => OK,
            },
        );
        let (mut all, mut retried) = (0, 0);
        for call in calls.iter().filter(|call| real(call.number)) {
            all += 1;
            retried += u32::from(call.attempts > 1);
        }
        println!("{share} of 10000 deterministic, every {interval:?}: {retried} of {all}");
        assert!(all > 40 && retried * 100 >= all * 95, "{retried} of {all} at {share}");
    }
}

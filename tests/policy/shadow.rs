//! Decide and count everything, ask for nothing.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use host_harness::{
    contract::{Invocation, Known, Reason},
    gateway::{
        BudgetStore, Clock, Finished, Gateway, InProcessBudgets, Limits, LogicalCall, Stop,
        Unobserved,
    },
    simulate::executor::Executor,
};
use proptest::prelude::*;
use serde_json::json;

use super::told;
use crate::plugin_under_test::{FAILED, OK, invocation, judge_outcome, metric, start};

#[test]
fn what_would_have_been_a_retry_is_told_and_not_asked_for() {
    let plugin = start(r#"{"shadow": true, "jitter": "none"}"#);
    let traced = Invocation { known: Known::TRACE, ..invocation("t", "1") };
    let verdict = judge_outcome(&plugin, traced, &FAILED);
    assert_eq!(told(&verdict), (Reason::Shadow, false));
    assert_eq!((verdict.delay_ceiling_ms, verdict.failures), (200, 1));
    let metadata = verdict.metadata.expect("traced");
    assert_eq!((metadata.retry_count, metadata.retry_delay_ms), (1, 0));
    // Whoever retries all the same is followed: the state is as if it had been asked.
    let again = judge_outcome(&plugin, invocation("t", "1"), &FAILED);
    assert_eq!((again.delay_ceiling_ms, again.failures), (400, 2));
    let last = judge_outcome(&plugin, invocation("t", "1"), &FAILED);
    assert_eq!(told(&last), (Reason::RetriesExhausted, false));
    assert_eq!(metric(&plugin, "decisions.shadow"), 2);
    judge_outcome(&plugin, invocation("t", "2"), &FAILED);
    judge_outcome(&plugin, invocation("t", "2"), &OK);
    assert_eq!(metric(&plugin, "calls.recovered"), 1);
}

#[test]
fn a_shadow_is_refused_by_the_budget_as_the_thing_itself_would_be() {
    use futures::executor::block_on;

    let paid = |shadow: bool| {
        let config = json!({
            "shadow": shadow, "max_retries": 1, "budget": {"enabled": true, "max_tokens": 7},
        });
        let plugin = Arc::new(start(&config.to_string()));
        let gateway = Gateway {
            hook: Some(plugin.clone()),
            limits: Limits::default(),
            clock: Arc::new(crate::virtual_clock::VirtualClock::default()),
            budgets: Arc::new(InProcessBudgets::default()),
            observer: Arc::new(Unobserved),
        };
        let paid: Vec<_> = (0..30)
            .map(|number: u32| {
                let call = LogicalCall::new("t", number.to_string());
                let run = gateway.run(&call, |_| async { super::long_run::Ended(FAILED) });
                let Finished::Answered { attempts, stop, .. } = block_on(run) else {
                    panic!("nobody cancelled");
                };
                assert!(!shadow || attempts.number() == 1, "a shadow makes no retry");
                !matches!(stop, Stop::BudgetExhausted(_))
            })
            .collect();
        assert_eq!(metric(&plugin, "calls.tracked"), 0);
        paid
    };
    let really = paid(false);
    assert_eq!(really.iter().filter(|paid| **paid).count(), 7);
    assert_eq!(paid(true), really);
}

/// What became of calls.
#[derive(Debug, Default, Clone, PartialEq)]
struct Came {
    /// Of each call that failed at first, whether that was retried (or would
    /// have been), in the order of the calls.
    retried: Vec<(u32, bool)>,
    /// What is left in the emptiest bucket when all is over, in thousandths.
    left: Option<u64>,
}

impl Came {
    fn retries(&self) -> usize {
        self.retried.iter().filter(|(_, retried)| *retried).count()
    }
}

/// Calls of one tool, the gaps between them in milliseconds, and whether an
/// attempt (call, attempt) fails.
fn play(
    config: &serde_json::Value,
    gaps: &[u64],
    fails: impl Fn(u32, u32) -> bool + 'static,
) -> Came {
    let mut executor = Executor::default();
    let (clock, spawner) = (executor.clock(), executor.spawner());
    let budgets = Arc::new(InProcessBudgets::default());
    let gateway = Rc::new(Gateway {
        hook: Some(Arc::new(start(&config.to_string()))),
        limits: Limits::default(),
        clock: Arc::new(clock.clone()),
        budgets: budgets.clone(),
        observer: Arc::new(Unobserved),
    });
    let (fails, came) = (Rc::new(fails), Rc::new(RefCell::new(Came::default())));
    let (gaps, end) = (gaps.to_vec(), came.clone());
    executor.spawner().spawn(async move {
        for (number, gap) in (0..).zip(gaps) {
            clock.sleep(Duration::from_millis(gap)).await;
            let (gateway, fails, came) = (gateway.clone(), fails.clone(), came.clone());
            let clock = clock.clone();
            spawner.spawn(async move {
                let call = LogicalCall::new("t", number.to_string());
                let failed = Cell::new(false);
                let run = gateway.run(&call, |attempt| {
                    let fails = fails(number, attempt.number());
                    failed.set(failed.get() || (fails && attempt.number() == 1));
                    let clock = clock.clone();
                    async move {
                        clock.sleep(Duration::from_millis(10)).await;
                        super::long_run::Ended(if fails { FAILED } else { OK })
                    }
                });
                let Finished::Answered { attempts, stop, .. } = run.await else {
                    panic!("nobody cancelled");
                };
                let would =
                    matches!(&stop, Stop::Plugin(verdict) if verdict.reason == Reason::Shadow);
                if failed.get() {
                    came.borrow_mut().retried.push((number, would || attempts.number() > 1));
                }
            });
        }
    });
    executor.run();
    let mut came = end.take();
    came.retried.sort_unstable();
    // What is still to come in shadow mode comes before the next withdrawal.
    budgets.failed_in_shadow(
        host_harness::gateway::Account { upstream: None, tool: Some("other") },
        executor.clock().now() + Duration::from_secs(60),
    );
    came.left = budgets.levels().emptiest;
    came
}

fn policy(shadow: bool, budget: &serde_json::Value) -> serde_json::Value {
    json!({ "shadow": shadow, "jitter": "none", "max_retries": 3, "budget": budget })
}

#[test]
fn where_everything_fails_as_many_calls_would_be_retried_as_are() {
    let budget = json!({ "enabled": true, "refill_per_minute": 0, "floor_per_minute": 0 });
    let [shadow, live] =
        [true, false].map(|shadow| play(&policy(shadow, &budget), &[60_000; 60], |_, _| true));
    assert_eq!(live.retries(), 7, "20 tokens, and three retries a call");
    assert_eq!(shadow, live);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn of_calls_that_always_fail_a_shadow_decides_as_the_thing_itself_does(
        gaps in prop::collection::vec(prop_oneof![0..50_u64, 0..3_000_u64, 0..60_000_u64], 1..80),
        tokens in 3..30_u32,
        floor in 0..10_u32,
    ) {
        let budget = json!({
            "enabled": true, "max_tokens": tokens, "refill_per_minute": 0,
            "floor_per_minute": floor,
        });
        let [shadow, live] =
            [true, false].map(|shadow| play(&policy(shadow, &budget), &gaps, |_, _| true));
        prop_assert_eq!(&shadow.retried, &live.retried);
        // The last retries of the last calls, at the most.
        prop_assert_eq!(shadow.left, live.left);
    }
}

#[test]
fn where_some_fail_nearly_as_many_would_be_retried_as_are() {
    for (share, per_second) in [(0.1, 1), (0.1, 20), (0.5, 1), (0.5, 20), (0.9, 5)] {
        let (mut shadows, mut lives, mut failures) = (0, 0, 0);
        for seed in 0..24_u64 {
            let fails = move |call: u32, attempt: u32| draw(seed, call, attempt) < share;
            let mut gaps = [1_000 / per_second; 500];
            gaps[0] += seed * 7;
            let [shadow, live] = [true, false].map(|shadow| {
                let budget = json!({ "enabled": true, "refill_per_minute": 0 });
                let mut config = policy(shadow, &budget);
                config["jitter"] = json!("full");
                play(&config, &gaps, fails)
            });
            shadows += shadow.retries();
            lives += live.retries();
            failures += live.retried.len();
        }
        println!(
            "{share} at {per_second}/s: of {failures} {shadows} would be retried, {lives} are"
        );
        let off = shadows.abs_diff(lives) as f64 / lives as f64;
        assert!(off <= 0.05, "{share} at {per_second}/s: {shadows} against {lives}");
    }
}

/// Uniform from 0 to 1, the same for the same attempt.
fn draw(seed: u64, call: u32, attempt: u32) -> f64 {
    let mut mixed = seed ^ (u64::from(call) << 20) ^ u64::from(attempt);
    for _ in 0..3 {
        mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) + 1;
    }
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

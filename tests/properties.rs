//! What holds for every configuration, every call and every sequence of outcomes.

use std::{cell::Cell, sync::Arc, time::Duration};

use futures::executor::block_on;
use host_harness::{
    contract::{Invocation, Outcome, TransportFailure},
    gateway::{Clock, Content, Finished, Gateway, Limits, LogicalCall, Reply, Unobserved},
};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    plugin_under_test::{FAILED, OK, invocation, judge_outcome, metric, start, try_start},
    virtual_clock::VirtualClock,
};

#[test]
fn a_retry_never_asks_for_zero_milliseconds() {
    // Ceilings of 1, 2, 4 and 8 ms: where a draw of 0 would be most likely.
    let plugin = start(r#"{"max_retries": 4, "backoff_base_ms": 1, "max_backoff_ms": 8}"#);
    for call in 0..250_000 {
        let id = call.to_string();
        for ceiling in [1, 2, 4, 8] {
            let verdict = judge_outcome(&plugin, invocation("t", &id), &FAILED);
            assert_eq!(verdict.delay_ceiling_ms, ceiling);
            assert!((1..=ceiling).contains(&verdict.retry_delay_ms), "{verdict:?}");
        }
    }
}

#[test]
fn abandoned_calls_never_exceed_the_bound() {
    let plugin = start("null");
    for call in 0..1_000_000 {
        judge_outcome(&plugin, invocation("t", &call.to_string()), &FAILED);
        if call % 50_000 == 0 {
            assert!(metric(&plugin, "calls.tracked") <= 10_000);
        }
    }
    assert_eq!(metric(&plugin, "calls.tracked"), 10_000);
    assert_eq!(metric(&plugin, "calls.displaced"), 990_000);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_delay_is_between_one_and_the_cap_at_any_attempt_number(
        base in 1..=3_600_000_u64, extra in 0..=3_600_000_u64, retries in 0..=10_u32,
        attempts in prop::collection::vec(any::<u32>(), 1..20), jitter: bool,
    ) {
        let cap = (base + extra).min(3_600_000);
        let plugin = start(&json!({
            "max_retries": retries, "jitter": jitter,
            "backoff_base_ms": base, "max_backoff_ms": cap,
        }).to_string());
        for (call, attempt) in attempts.into_iter().enumerate() {
            let id = call.to_string();
            let call = Invocation { attempt, ..invocation("t", &id) };
            let verdict = judge_outcome(&plugin, call, &FAILED);
            if attempt > retries || retries == 0 {
                prop_assert_eq!(verdict.retry_delay_ms, 0);
            } else {
                prop_assert!((1..=cap).contains(&verdict.retry_delay_ms), "{:?}", verdict);
            }
        }
        // And one call from its first attempt to its last.
        for earlier in 0..retries {
            let verdict = judge_outcome(&plugin, invocation("u", "1"), &FAILED);
            let ceiling = base.saturating_mul(1 << earlier).min(cap);
            prop_assert_eq!(verdict.delay_ceiling_ms, ceiling);
            prop_assert!((1..=ceiling).contains(&verdict.retry_delay_ms));
        }
        prop_assert_eq!(judge_outcome(&plugin, invocation("u", "1"), &FAILED).retry_delay_ms, 0);
    }

    #[test]
    fn two_pairs_never_share_a_count(
        pairs in prop::collection::hash_set(("[ab:/\0é]{0,4}", "[ab:/\0é]{0,4}"), 2..10),
    ) {
        let plugin = start(r#"{"max_retries": 10}"#);
        let pairs: Vec<_> = pairs.into_iter().collect();
        // The n-th pair fails n+1 times, in turn with the others.
        for round in 0..pairs.len() {
            for (index, (target, id)) in pairs.iter().enumerate().skip(round) {
                let verdict = judge_outcome(&plugin, invocation(target, id), &FAILED);
                prop_assert_eq!(verdict.failures as usize, round + 1, "{}", index);
            }
        }
        prop_assert_eq!(metric(&plugin, "calls.tracked") as usize, pairs.len());
    }

    #[test]
    fn any_configuration_is_accepted_or_refused_but_breaks_nothing(config in any_json(3)) {
        let _ = try_start(&config.to_string(), 3).map_err(|error| {
            assert!(matches!(error, host_harness::sandbox::StartError::Config(_)), "{error}");
        });
    }
}

/// JSON that often has the right keys.
fn any_json(depth: u32) -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (0..20_000_i64).prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
    ];
    let key = prop_oneof![
        Just("max_retries".to_owned()),
        Just("backoff_base_ms".to_owned()),
        Just("max_backoff_ms".to_owned()),
        Just("retry_on_status".to_owned()),
        Just("tool_overrides".to_owned()),
        ".{0,6}",
    ];
    leaf.prop_recursive(depth, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// What one attempt does.
#[derive(Debug, Clone, Copy)]
enum Act {
    Ok,
    IsError,
    Throws,
    Hangs,
}

const ACTS: [Act; 4] = [Act::Ok, Act::IsError, Act::Throws, Act::Hangs];

impl Reply for Act {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Ok => OK,
            Self::IsError => FAILED,
            Self::Throws => Outcome::TransportFailed(TransportFailure::AfterDispatch),
            Self::Hangs => Outcome::TimedOut,
        }
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        None
    }

    fn timed_out(_: Duration) -> Self {
        Self::Hangs
    }
}

#[test]
fn no_sequence_of_outcomes_makes_more_upstream_calls_than_the_smaller_limit_allows() {
    for (retries, ceiling) in [(0, 3), (1, 3), (2, 3), (10, 3), (5, 1), (10, 0), (10, 10)] {
        let config = json!({ "max_retries": retries }).to_string();
        let plugin = Arc::new(try_start(&config, ceiling).expect("a good configuration"));
        let gateway = Gateway {
            hook: Some(plugin.clone()),
            limits: Limits {
                max_tool_retries: ceiling,
                attempt_timeout: Some(Duration::from_secs(1)),
                deadline: None,
                ..Limits::default()
            },
            clock: Arc::new(VirtualClock::default()) as Arc<dyn Clock>,
            budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
            observer: Arc::new(Unobserved),
        };
        let most = 1 + retries.min(ceiling);
        for length in 1..=8_u32 {
            for number in 0..4_u32.pow(length) {
                let act = |attempt: u32| ACTS[(number >> (2 * (attempt % length)) & 3) as usize];
                let expected = (0..most).take_while(|n| *n == 0 || !matches!(act(n - 1), Act::Ok));
                let expected = u32::try_from(expected.count()).expect("a few");
                assert_eq!(upstream_calls(&gateway, number, act), expected, "{number} of {length}");
            }
        }
        assert_eq!(metric(&plugin, "calls.tracked"), 0, "no call leaves anything behind");
    }
}

/// Runs one call whose attempts act as `act` says; returns how many there were.
fn upstream_calls(gateway: &Gateway, number: u32, act: impl Fn(u32) -> Act) -> u32 {
    let call = LogicalCall::new("t", number.to_string());
    let calls = Cell::new(0);
    let finished = block_on(gateway.run(&call, |attempt| {
        calls.set(calls.get() + 1);
        let act = act(attempt.retries());
        async move {
            match act {
                Act::Hangs => std::future::pending().await,
                act => act,
            }
        }
    }));
    match finished {
        Finished::Answered { attempts, .. } => assert_eq!(attempts.number(), calls.get()),
        Finished::Cancelled { .. } => panic!("nobody cancelled"),
    }
    calls.get()
}

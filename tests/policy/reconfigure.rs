//! Another configuration while calls are alive.

use std::{num::NonZeroUsize, sync::Arc};

use host_harness::{
    bundled,
    contract::Invocation,
    gateway::{Background, CallContext, Home},
    sandbox::{Component, Entropy, Options, Plugin, StartError},
};

use crate::plugin_under_test::{FAILED, OK, invocation, judge_outcome, judge_with, metric, start};

const CONFIG: &str = r#"{"jitter": "none", "budget": {"enabled": true}}"#;

#[test]
fn calls_in_flight_survive() {
    let plugin = start(CONFIG);
    let fail = |id| judge_outcome(&plugin, invocation("t", id), &FAILED);
    assert_eq!(fail("alive").failures, 1);
    let notices = plugin
        .reconfigure(
            &CONFIG.replace("none\"", "none\", \"max_retries\": 5, \"backoff_base_ms\": 10"),
        )
        .expect("a good configuration");
    assert!(notices.is_empty());
    // The second failure of the same call, under the new base.
    let second = fail("alive");
    assert_eq!((second.failures, second.retry_delay_ms), (2, 20));
    assert_eq!(metric(&plugin, "decisions.tool_error"), 2);
}

#[test]
fn a_smaller_bound_keeps_the_calls_that_were_heard_of_last() {
    let plugin = start(r#"{"jitter": "none", "max_retries": 10}"#);
    let fail = |id: &str, now_ms| {
        judge_outcome(&plugin, Invocation { now_ms, ..invocation("t", id) }, &FAILED).failures
    };
    for call in 0..100 {
        fail(&call.to_string(), call);
    }
    plugin.reconfigure(r#"{"max_tracked_calls": 10, "max_retries": 10}"#).expect("good");
    assert_eq!(metric(&plugin, "calls.tracked"), 10);
    assert_eq!((fail("99", 100), fail("89", 100)), (2, 1));
}

#[test]
fn a_bad_configuration_changes_nothing() {
    let plugin = start(CONFIG);
    judge_outcome(&plugin, invocation("t", "1"), &FAILED);
    let before = plugin.stats().expect("stats");
    for bad in ["", "[]", r#"{"max_retries": 99}"#, r#"{"tool_overrides": {"t": {"x": 1}}}"#] {
        let Err(StartError::Config(issues)) = plugin.reconfigure(bad) else {
            panic!("{bad} is refused");
        };
        assert!(!issues.is_empty());
    }
    assert_eq!(plugin.stats().expect("stats"), before);
    assert_eq!(judge_outcome(&plugin, invocation("t", "1"), &FAILED).retry_delay_ms, 400);
}

#[test]
fn every_shard_works_by_the_new_configuration_or_every_one_by_the_old() {
    let component =
        Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component");
    let options = Options {
        config: r#"{"jitter": "none", "backoff_base_ms": 1}"#.to_owned(),
        shards: NonZeroUsize::new(8).expect("not zero"),
        entropy: Entropy::Seeded(1),
        ..Options::default()
    };
    let plugin = Plugin::start(&component, options).expect("it starts");
    let delays = || -> Vec<u64> {
        let delay = |tool: u32| {
            // A call from each of many threads, so that every shard has some.
            let context = CallContext { home: Home::at(tool as usize), ..CallContext::default() };
            let background = Background { context: Arc::new(context), ..Background::none() };
            let tool = tool.to_string();
            let verdict = judge_with(&plugin, invocation(&tool, "1"), &FAILED, background.clone());
            judge_with(&plugin, invocation(&tool, "1"), &OK, background);
            verdict.retry_delay_ms
        };
        (0..64).map(delay).collect()
    };
    assert_eq!(delays(), [1; 64]);
    plugin.reconfigure(r#"{"jitter": "none", "backoff_base_ms": 2}"#).expect("good");
    assert_eq!(delays(), [2; 64]);
    plugin.reconfigure(r#"{"backoff_base_ms": 0}"#).expect_err("bad");
    assert_eq!(delays(), [2; 64]);
}

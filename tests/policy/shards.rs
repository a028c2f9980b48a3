//! Which instance judges a call, where there are several.

use std::{collections::HashSet, thread};

use host_harness::{
    contract::Invocation,
    gateway::{CallContext, Hook, RetryHook},
    sandbox::Plugin,
};

use super::of_upstream;
use crate::plugin_under_test::{FAILED, OK, invocation, judge_with, metric, start_shards};

const SHARDS: usize = 8;

/// What a thread of its own makes of it.
fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
}

/// To which shards so many threads send a call each of one upstream.
fn shards_of_one_upstream(plugin: &Plugin, threads: usize) -> HashSet<usize> {
    let context = || CallContext { upstream: Some("u".to_owned()), ..CallContext::default() };
    (0..threads).map(|_| elsewhere(|| plugin.shard_of(&context()))).collect()
}

#[test]
fn a_call_keeps_its_state_whichever_threads_judge_its_attempts() {
    let plugin = start_shards(r#"{"max_retries": 10}"#, SHARDS);
    let call = of_upstream("u");
    for failures in 1..=5 {
        let verdict =
            elsewhere(|| judge_with(&plugin, invocation("t", "1"), &FAILED, call.clone()));
        // All say that they are the first attempt: only state can tell them apart.
        assert_eq!(verdict.failures, failures);
    }
    assert_eq!(metric(&plugin, "calls.tracked"), 1);
    elsewhere(|| plugin.forget(Hook::ToolPostInvoke, "t", "1", &call.context));
    assert_eq!(metric(&plugin, "calls.tracked"), 0);
}

#[test]
fn calls_stay_with_their_threads_whatever_the_configuration() {
    for config in ["{}", r#"{"profile": "safe"}"#, r#"{"budget": {"enabled": true}}"#] {
        let plugin = start_shards(config, SHARDS);
        // Other tests start threads as well, so that the numbers have gaps.
        assert!(shards_of_one_upstream(&plugin, 64).len() > 1, "{config}");
        let here = || plugin.shard_of(&CallContext::default());
        assert_eq!(here(), here(), "this thread has one shard for all calls");
    }
}

#[test]
fn a_call_that_is_alive_while_a_budget_comes_into_force_still_ends_in_time() {
    let plugin = start_shards(r#"{"max_retries": 3}"#, SHARDS);
    let call = of_upstream("u");
    let ask = |attempt, outcome| {
        let told = Invocation { attempt, ..invocation("t", "1") };
        elsewhere(|| judge_with(&plugin, told, outcome, call.clone())).retry_delay_ms > 0
    };
    assert!(ask(1, &FAILED));
    let config = r#"{"max_retries": 3, "budget": {"enabled": true}}"#;
    plugin.reconfigure(config).expect("a good configuration");
    assert!(ask(2, &FAILED));
    assert!(ask(3, &FAILED));
    assert!(!ask(4, &FAILED), "three retries, whoever counted them");
    assert!(!ask(1, &OK));
}

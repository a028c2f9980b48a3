//! Which instance judges a call, where there are several.

use std::{collections::HashSet, thread};

use host_harness::{
    contract::Invocation,
    gateway::{Background, CallContext, Hook, RetryHook},
    sandbox::Plugin,
};

use super::of_upstream;
use crate::plugin_under_test::{FAILED, OK, invocation, judge_with, metric, start_shards};

const SHARDS: usize = 8;
const BUDGET: &str = r#"{"enabled": true}"#;

/// What a thread of its own makes of it.
fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
}

/// To which shards so many threads send a call each of one tool of one upstream.
fn shards_of_one_tool(plugin: &Plugin, threads: usize) -> HashSet<usize> {
    let context = || CallContext { upstream: Some("u".to_owned()), ..CallContext::default() };
    (0..threads).map(|_| elsewhere(|| plugin.shard_of("t", &context()))).collect()
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
fn calls_that_have_nothing_in_common_stay_with_their_threads() {
    let plugin = start_shards("{}", SHARDS);
    // Other tests start threads as well, so that the numbers have gaps.
    assert!(shards_of_one_tool(&plugin, 64).len() > 1);
    let here = |tool| plugin.shard_of(tool, &CallContext::default());
    assert_eq!(here("a"), here("b"), "this thread has one shard for all tools");
}

#[test]
fn calls_that_share_a_budget_meet_at_one_instance() {
    for config in [
        format!(r#"{{"budget": {BUDGET}}}"#),
        r#"{"profile": "safe"}"#.to_owned(),
        format!(r#"{{"tool_overrides": {{"some other tool": {{"budget": {BUDGET}}}}}}}"#),
    ] {
        let plugin = start_shards(&config, SHARDS);
        assert_eq!(shards_of_one_tool(&plugin, 64).len(), 1, "{config}");
    }
}

#[test]
fn a_new_configuration_says_anew_what_calls_have_in_common() {
    let plugin = start_shards("{}", SHARDS);
    plugin.reconfigure(&format!(r#"{{"budget": {BUDGET}}}"#)).expect("a good configuration");
    assert_eq!(shards_of_one_tool(&plugin, 64).len(), 1);
    plugin.reconfigure("{}").expect("a good configuration");
    assert!(shards_of_one_tool(&plugin, 64).len() > 1);
}

#[test]
fn a_call_that_is_alive_while_a_budget_comes_into_force_still_ends_in_time() {
    let plugin = start_shards(r#"{"max_retries": 3}"#, SHARDS);
    let call = of_upstream("u");
    let ask = |attempt, outcome, background: Background| {
        let told = Invocation { attempt, ..invocation("t", "1") };
        elsewhere(|| judge_with(&plugin, told, outcome, background)).retry_delay_ms > 0
    };
    assert!(ask(1, &FAILED, call.clone()));
    let config = format!(r#"{{"max_retries": 3, "budget": {BUDGET}}}"#);
    plugin.reconfigure(&config).expect("a good configuration");
    assert!(ask(2, &FAILED, call.clone()));
    assert!(ask(3, &FAILED, call.clone()));
    assert!(!ask(4, &FAILED, call.clone()), "three retries, whoever counted them");
    assert!(!ask(1, &OK, of_upstream("u")));
}

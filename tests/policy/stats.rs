//! What the plugin counts, bounded in number whatever the tools are called.

use std::collections::BTreeSet;

use host_harness::contract::Outcome;

use super::of_upstream;
use crate::plugin_under_test::{FAILED, OK, invocation, judge_outcome, judge_with, metric, start};

#[test]
fn decisions_are_counted_by_reason() {
    let plugin = start("null");
    for (id, outcome) in [("1", FAILED), ("1", OK), ("2", OK), ("3", Outcome::RpcError(-32_602))] {
        judge_outcome(&plugin, invocation("t", id), &outcome);
    }
    judge_outcome(&plugin, invocation("t", "4"), &FAILED);
    for (name, value) in [
        ("decisions.tool_error", 2),
        ("decisions.succeeded", 2),
        ("decisions.rpc_code_not_retryable", 1),
        ("decisions.shadow", 0),
        ("calls.recovered", 1),
        ("calls.tracked", 1),
    ] {
        assert_eq!(metric(&plugin, name), value, "{name}");
    }
}

#[test]
fn ten_thousand_tools_and_upstreams_make_no_metric_more() {
    let plugin = start(r#"{"profile": "safe", "idempotent": true, "tool_overrides": {"x*": {}}}"#);
    let names = || {
        let metrics = plugin.stats().expect("stats");
        let names: BTreeSet<_> = metrics.iter().map(|metric| metric.name.clone()).collect();
        assert_eq!(names.len(), metrics.len(), "every name once");
        names
    };
    judge_outcome(&plugin, invocation("t", "1"), &FAILED);
    let before = names();
    for number in 0..10_000 {
        let (tool, upstream) = (format!("x{number}"), format!("u{number}"));
        judge_with(&plugin, invocation(&tool, "1"), &FAILED, of_upstream(&upstream));
    }
    assert_eq!(names(), before);
    assert!(before.len() <= 64);
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
    assert!(before.iter().all(|name| name.bytes().all(plain)), "{before:?}");
}

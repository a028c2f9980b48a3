//! Gateways in a row, each of which would retry.

use std::sync::{Arc, Mutex};

use host_harness::{
    contract::{Outcome, OuterAttempts, Reason, ToolAnnotations, TransportFailure},
    gateway::{CallContext, Gateway, Hook, Limits, RetryHook, SystemClock, Unobserved},
    mcp::{RelayOptions, relay},
    sandbox::Plugin,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex, split};
use tokio_util::sync::CancellationToken;

use super::{around, first, told};
use crate::plugin_under_test::{FAILED, start};

fn outer(attempt: u32, most: u32) -> CallContext {
    CallContext {
        outer: Some(OuterAttempts { attempt, most, most_not_executed: most }),
        ..CallContext::default()
    }
}

fn retries(plugin: &Plugin, context: CallContext) -> u32 {
    plugin.retries(Hook::ToolPostInvoke, "t", &Arc::new(context)).expect("a number").maybe_executed
}

#[test]
fn a_layer_shrinks_stands_back_or_ignores_the_one_before_it() {
    for (rule, attempt, most, expected) in [
        ("ignore", 1, 3, 2),
        // The outer layer has attempts left: they are its to make.
        ("shrink", 1, 2, 0),
        ("shrink", 2, 3, 0),
        // Its last one: what it makes less than this layer would, this one adds.
        ("shrink", 2, 2, 1),
        ("shrink", 3, 3, 0),
        ("shrink", 9, 9, 0),
        ("stand-back", 2, 2, 0),
        ("stand-back", 1, 3, 0),
        // A layer that makes one attempt does not retry.
        ("shrink", 1, 1, 2),
        ("stand-back", 1, 1, 2),
    ] {
        let plugin = start(&json!({ "max_retries": 2, "nested_retries": rule }).to_string());
        assert_eq!(retries(&plugin, outer(attempt, most)), expected, "{rule} {attempt}/{most}");
        let verdict = first(&plugin, (FAILED, around(outer(attempt, most))));
        if expected == 0 {
            assert_eq!(told(&verdict), (Reason::OuterLayerRetries, false), "{rule}");
        } else {
            assert_eq!(told(&verdict), (Reason::ToolError, true), "{rule}");
        }
        assert_eq!(retries(&plugin, CallContext::default()), 2, "without a layer before it");
    }
}

#[test]
fn what_is_promised_for_a_tool_depends_on_the_operators_trust_as_what_is_done_does() {
    let plugin = start(r#"{"profile": "safe", "max_retries": 2, "trusted_upstreams": ["u"]}"#);
    let reads = ToolAnnotations { read_only: Some(true), destructive: None, idempotent: None };
    for (upstream, trusted, expected) in
        [("u", None, 2), ("v", None, 0), ("v", Some(true), 2), ("u", Some(false), 0)]
    {
        let (upstream, annotations) = (Some(upstream.to_owned()), Some(reads));
        let context = CallContext { upstream, annotations, trusted, ..CallContext::default() };
        assert_eq!(retries(&plugin, context.clone()), expected, "{context:?}");
        let verdict = first(&plugin, (Outcome::TimedOut, around(context)));
        assert_eq!(told(&verdict).1, expected > 0, "{verdict:?}");
    }
}

#[test]
fn a_layer_promises_only_what_it_will_do() {
    let promised = |config: Value| {
        let plugin = start(&config.to_string());
        let context = Arc::new(CallContext::default());
        let said = plugin.retries(Hook::ToolPostInvoke, "t", &context).expect("a number");
        (said.maybe_executed, said.not_executed)
    };
    let marked = json!({ "t": { "idempotent": true } });
    for (config, expected) in [
        (json!({ "max_retries": 2 }), (2, 2)),
        (json!({ "max_retries": 2, "shadow": true }), (0, 0)),
        (json!({ "max_retries": 2, "profile": "safe" }), (0, 2)),
        (json!({ "max_retries": 2, "profile": "safe", "tool_overrides": marked }), (2, 2)),
        (json!({ "max_retries": 0, "profile": "safe", "tool_overrides": marked }), (0, 0)),
    ] {
        assert_eq!(promised(config.clone()), expected, "{config}");
    }
}

#[test]
fn what_was_surely_not_executed_is_left_to_an_outer_layer_that_repeats_only_that() {
    let plugin = start(
        &json!({ "profile": "safe", "max_retries": 2, "tool_overrides": { "t": { "idempotent": true } } })
            .to_string(),
    );
    let only = OuterAttempts { attempt: 1, most: 1, most_not_executed: 3 };
    let context = CallContext { outer: Some(only), ..CallContext::default() };
    let said = plugin.retries(Hook::ToolPostInvoke, "t", &Arc::new(context.clone()));
    let said = said.expect("a number");
    assert_eq!((said.maybe_executed, said.not_executed), (2, 0));
    for (failure, retried) in [
        (Outcome::TransportFailed(TransportFailure::BeforeDispatch), false),
        (Outcome::TransportFailed(TransportFailure::AfterDispatch), true),
    ] {
        let verdict = first(&plugin, (failure, around(context.clone())));
        assert_eq!(verdict.retry_delay_ms > 0, retried, "{failure:?}");
    }
}

/// A gateway with this plugin in front of `upstream`; returns where its client goes.
fn gateway(plugin: Arc<Plugin>, upstream: DuplexStream) -> DuplexStream {
    let (client, front) = duplex(1 << 16);
    let gateway = Gateway {
        hook: Some(plugin),
        limits: Limits { max_tool_retries: 10, ..Limits::default() },
        clock: Arc::new(SystemClock::new()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: Arc::new(Unobserved),
    };
    let (options, stop) = (RelayOptions::default(), CancellationToken::new());
    tokio::spawn(relay(Arc::new(gateway), options, split(front), split(upstream), stop));
    client
}

/// A server whose tool fails for ever; it writes down the markers that it gets.
fn failing_server(markers: Arc<Mutex<Vec<Value>>>) -> DuplexStream {
    let (upstream, server) = duplex(1 << 16);
    tokio::spawn(async move {
        let (from, mut to) = split(server);
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let call: Value = serde_json::from_str(&line).expect("JSON");
            let marker = call["params"]["_meta"]["retry-with-backoff/attempt"].clone();
            markers.lock().expect("no panic").push(marker);
            let answer =
                json!({ "jsonrpc": "2.0", "id": call["id"], "result": { "isError": true } });
            to.write_all(format!("{answer}\n").as_bytes()).await.expect("a gateway that reads");
        }
    });
    upstream
}

/// Sends one call through gateways with these configurations, the outermost
/// first; returns the markers of the attempts that reached the server.
async fn attempts_through(configs: &[Value]) -> Vec<(u64, u64)> {
    let markers = Arc::new(Mutex::new(Vec::new()));
    let mut stream = failing_server(markers.clone());
    for config in configs.iter().rev() {
        let mut config = config.clone();
        config["backoff_base_ms"] = json!(1);
        config["max_backoff_ms"] = json!(1);
        stream = gateway(Arc::new(start(&config.to_string())), stream);
    }
    let (from, mut to) = split(stream);
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "t", "arguments": {} },
    });
    to.write_all(format!("{call}\n").as_bytes()).await.expect("a gateway that reads");
    let answer = BufReader::new(from).lines().next_line().await.expect("readable").expect("a line");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(1), &json!(true)));
    let markers = markers.lock().expect("no panic");
    let number = |marker: &Value, name: &str| marker[name].as_u64().unwrap_or(0);
    markers.iter().map(|marker| (number(marker, "attempt"), number(marker, "most"))).collect()
}

#[tokio::test]
async fn three_gateways_make_together_no_more_attempts_than_the_most_patient_of_them() {
    for retries in [[2, 2, 2], [0, 2, 3], [3, 1, 0], [1, 2, 3], [1, 3, 2], [0, 0, 4], [0, 0, 0_u32]]
    {
        let configs =
            retries.map(|retries| json!({ "max_retries": retries, "nested_retries": "shrink" }));
        let attempts = attempts_through(&configs).await;
        let most = 1 + u64::from(*retries.iter().max().expect("three"));
        assert_eq!(attempts.len() as u64, most, "{retries:?}: {attempts:?}");
        if most > 1 {
            let counted: Vec<u64> = attempts.iter().map(|(attempt, _)| *attempt).collect();
            assert_eq!(counted, (1..=most).collect::<Vec<_>>(), "{retries:?}");
            assert!(attempts.iter().all(|(attempt, of)| attempt <= of), "{attempts:?}");
        } else {
            assert_eq!(attempts, [(0, 0)], "one attempt needs no marker");
        }
    }
}

#[tokio::test]
async fn gateways_that_ignore_each_other_multiply_their_retries() {
    let configs = [2, 2].map(|retries| json!({ "max_retries": retries }));
    assert_eq!(attempts_through(&configs).await.len(), 9);
}

#[tokio::test]
async fn a_gateway_that_stands_back_leaves_all_retries_to_the_outer_one() {
    let outer = json!({ "max_retries": 1 });
    let inner = json!({ "max_retries": 5, "nested_retries": "stand-back" });
    assert_eq!(attempts_through(&[outer, inner]).await, [(1, 2), (2, 2)]);
}

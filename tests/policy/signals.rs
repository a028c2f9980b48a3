//! What the operator knows of how a server reports failures.

use std::sync::Arc;

use host_harness::{
    contract::{Class, HttpError, Known, Outcome, Reason, Scalar, Verdict},
    gateway::{Background, CallContext, Content},
    sandbox::Plugin,
};
use serde_json::{Value, json};

use super::{first, forget, result, rpc_error, told};
use crate::plugin_under_test::{invocation, issues, judge_with, start};

/// Words that no shipped rule knows.
const ODD: &str = "the moon stands in the seventh house";

/// The `safe` profile for a tool that may be called twice, with these signals.
fn with(signals: Value) -> Plugin {
    let config = json!({ "profile": "safe", "idempotent": true, "signals": signals });
    start(&config.to_string())
}

fn one(asked: Value, means: &str) -> Plugin {
    with(json!([{ "match": asked, "means": means }]))
}

fn failed(text: &str) -> (Outcome, Background) {
    result(json!({ "isError": true, "content": [{ "type": "text", "text": text }] }))
}

fn succeeded(text: &str) -> (Outcome, Background) {
    result(json!({ "content": [{ "type": "text", "text": text }] }))
}

/// An HTTP error with a body.
struct Body(&'static str);

impl Content for Body {
    fn text_count(&self) -> usize {
        1
    }

    fn text(&self, index: usize) -> Option<&str> {
        (index == 0).then_some(self.0)
    }

    fn has_fields(&self) -> bool {
        false
    }

    fn field(&self, _: &str) -> Option<Scalar> {
        None
    }
}

fn http(status: u16, pushback_ms: Option<i64>, body: &'static str) -> (Outcome, Background) {
    let content: Arc<dyn Content> = Arc::new(Body(body));
    let outcome = Outcome::HttpError(HttpError { status, pushback_ms });
    (outcome, Background { content: Some(content), ..Background::none() })
}

#[test]
fn a_text_is_found_in_results_errors_and_bodies_whatever_its_case() {
    let plugin = one(json!({ "text": "SEVENTH house" }), "transient");
    for attempt in [
        failed(ODD),
        failed(&format!("{}\n{ODD}", "x".repeat(20_000))),
        rpc_error(json!({ "code": -32_603, "message": ODD })),
        rpc_error(json!({ "code": -32_603, "message": "no", "data": { "why": ODD } })),
        http(418, None, ODD),
    ] {
        assert_eq!(told(&first(&plugin, attempt)), (Reason::Transient, true));
    }
    assert_eq!(told(&first(&plugin, failed("the sun is"))), (Reason::Unclassified, false));
    // A success is not looked at.
    assert_eq!(told(&first(&plugin, succeeded(ODD))), (Reason::Succeeded, false));
}

#[test]
fn a_message_is_that_of_a_json_rpc_error_alone() {
    let plugin = one(json!({ "message": "seventh house" }), "transient");
    let error = rpc_error(json!({ "code": -32_603, "message": ODD }));
    assert_eq!(told(&first(&plugin, error)), (Reason::Transient, true));
    assert_eq!(told(&first(&plugin, failed(ODD))), (Reason::Unclassified, false));
}

#[test]
fn a_code_is_one_a_range_or_a_list() {
    for (code, fitting, other) in [
        (json!(-32_050), -32_050, -32_051),
        (json!("-32055..-32050"), -32_053, -32_056),
        (json!([7, "9..11"]), 10, 8),
    ] {
        let plugin = one(json!({ "code": code }), "throttled");
        let error = |code: i64| rpc_error(json!({ "code": code, "message": "no" }));
        let verdict = first(&plugin, error(fitting));
        assert_eq!((told(&verdict), verdict.class), ((Reason::Throttled, true), Class::Throttled));
        assert_eq!(first(&plugin, error(other)).retry_delay_ms, 0);
    }
}

#[test]
fn a_pointer_leads_to_something_or_to_what_it_equals() {
    let body = |state: Value| {
        result(json!({ "isError": true, "structuredContent": { "job": { "state": state } } }))
    };
    let there = one(json!({ "pointer": "/job/state" }), "transient");
    assert_eq!(told(&first(&there, body(json!("WAXING")))), (Reason::Transient, true));
    assert_eq!(first(&there, body(json!({}))).retry_delay_ms, 0, "an object is no scalar");
    for (expected, same, other) in [
        (json!("WAXING"), json!("WAXING"), json!("waxing")),
        (json!(3), json!(3), json!(4)),
        (json!(true), json!(true), json!(false)),
        (json!(1.5), json!(1.5), json!(2.5)),
    ] {
        let plugin = one(json!({ "pointer": "/job/state", "equals": expected }), "transient");
        assert_eq!(told(&first(&plugin, body(same))), (Reason::Transient, true), "{expected}");
        assert_eq!(told(&first(&plugin, body(other))), (Reason::Unclassified, false), "{expected}");
    }
}

#[test]
fn all_that_a_signal_asks_for_must_be_there_and_the_first_signal_that_fits_decides() {
    let plugin = with(json!([
        { "match": { "message": "seventh house", "code": -32_050 }, "means": "transient" },
        { "match": { "message": "seventh house" }, "means": "permanent" },
    ]));
    let error = |code: i64| rpc_error(json!({ "code": code, "message": ODD }));
    assert_eq!(told(&first(&plugin, error(-32_050))), (Reason::Transient, true));
    assert_eq!(told(&first(&plugin, error(-32_603))), (Reason::Permanent, false));
}

#[test]
fn the_operators_signals_outrank_the_shipped_rules() {
    let busy = "503 Service Unavailable";
    assert_eq!(told(&first(&with(json!([])), failed(busy))), (Reason::Transient, true));
    let plugin = one(json!({ "text": "service unavailable" }), "permanent");
    assert_eq!(told(&first(&plugin, failed(busy))), (Reason::Permanent, false));
}

/// The verdict on a text when the wait in it is captured.
fn captured(asked: &str, text: &str) -> Verdict {
    first(&one(json!({ "text": asked }), "throttled"), failed(text))
}

#[test]
fn a_capture_bounds_the_wait_from_below() {
    for (asked, text, wait_ms) in [
        ("house for {seconds} s", "in the seventh house for 7 s more", 7_000),
        ("house for {seconds}", "in the seventh house for 1.25", 1_250),
        ("house for {milliseconds}ms", "in the seventh house for 900ms", 900),
        ("house for {minutes} min", "in the seventh house for 1 min", 60_000),
    ] {
        let verdict = captured(asked, text);
        assert_eq!(verdict.pushback_ms, Some(wait_ms), "{text}");
        assert!(verdict.retry_delay_ms >= wait_ms, "{text}");
        assert!(verdict.retry_delay_ms <= wait_ms + (wait_ms / 6).max(200), "{text}");
    }
    let long = captured("house for {minutes} min", "in the seventh house for 61 min");
    assert_eq!(told(&long), (Reason::PushbackTooLong, false));
}

#[test]
fn what_a_header_says_counts_before_what_a_body_says() {
    let plugin = one(json!({ "text": "house for {seconds} s" }), "throttled");
    let body = "in the seventh house for 7 s";
    assert_eq!(first(&plugin, http(503, Some(2_000), body)).pushback_ms, Some(2_000));
    assert_eq!(first(&plugin, http(503, None, body)).pushback_ms, Some(7_000));
    // The server itself turned it away, whatever the operator calls it.
    assert!(first(&plugin, http(429, None, body)).not_executed);
    assert!(!first(&plugin, http(503, None, body)).not_executed);
}

#[test]
fn refused_means_that_the_server_surely_did_nothing() {
    let config = |means: &str| {
        let signals = json!([{ "match": { "text": "seventh house" }, "means": means }]);
        start(&json!({ "profile": "safe", "signals": signals }).to_string())
    };
    let verdict = first(&config("refused"), failed(ODD));
    assert_eq!((told(&verdict), verdict.not_executed), ((Reason::Transient, true), true));
    assert_eq!(told(&first(&config("transient"), failed(ODD))), (Reason::HintsNotSeen, false));
}

#[test]
fn a_result_without_is_error_fails_only_by_a_signal_that_says_so() {
    let signal = |flag: bool| {
        let asked = json!({ "text": "seventh house" });
        with(json!([{ "match": asked, "means": "transient", "without_is_error": flag }]))
    };
    assert_eq!(told(&first(&signal(true), succeeded(ODD))), (Reason::Transient, true));
    assert_eq!(told(&first(&signal(true), succeeded("fine"))), (Reason::Succeeded, false));
    assert_eq!(told(&first(&signal(false), succeeded(ODD))), (Reason::Succeeded, false));
}

/// Judges a call of `tool` of `upstream` that failed with the odd words.
fn called(plugin: &Plugin, upstream: &str, tool: &str) -> bool {
    let (outcome, background) = failed(ODD);
    let context = CallContext { upstream: Some(upstream.to_owned()), ..CallContext::default() };
    let background = Background { context: Arc::new(context), ..background };
    let call =
        host_harness::contract::Invocation { known: Known::empty(), ..invocation(tool, "1") };
    let verdict = judge_with(plugin, call, &outcome, background);
    forget(plugin, tool, "1");
    verdict.retry_delay_ms > 0
}

#[test]
fn signals_are_those_of_a_tool_or_of_an_upstream() {
    let signals = json!([{ "match": { "text": "seventh house" }, "means": "transient" }]);
    let plugin = |overrides: Value| {
        let config = json!({
            "profile": "safe", "idempotent": true, "tool_overrides": overrides,
        });
        start(&config.to_string())
    };
    let of_a_tool = plugin(json!({ "moon": { "signals": signals } }));
    assert!(called(&of_a_tool, "a", "moon") && !called(&of_a_tool, "a", "sun"));
    let of_an_upstream = plugin(json!({ "a/*": { "signals": signals } }));
    assert!(called(&of_an_upstream, "a", "moon") && called(&of_an_upstream, "a", "sun"));
    assert!(!called(&of_an_upstream, "b", "moon"));
}

#[test]
fn compatible_keeps_the_eyes_of_the_original_until_signals_is_set() {
    let plugin =
        |signals: Value| start(&json!({ "profile": "compatible", "signals": signals }).to_string());
    let asked = json!({ "text": "seventh house" });
    assert_eq!(told(&first(&plugin(Value::Null), failed(ODD))), (Reason::ToolError, true));
    let permanent = plugin(json!([{ "match": asked, "means": "permanent" }]));
    assert_eq!(told(&first(&permanent, failed(ODD))), (Reason::Permanent, false));
    // What no signal and no rule speaks of is retried as the original did.
    assert_eq!(told(&first(&permanent, failed("the sun is"))), (Reason::ToolError, true));
    let unmarked = json!([{ "match": asked, "means": "transient", "without_is_error": true }]);
    assert_eq!(told(&first(&plugin(unmarked), succeeded(ODD))), (Reason::Transient, true));
}

#[test]
fn a_nested_is_error_is_gated_by_its_status() {
    let nested = |status: i64| {
        result(json!({ "structuredContent": { "isError": true, "status_code": status } }))
    };
    let in_text = |status: i64| {
        let text = json!({ "isError": true, "status_code": status }).to_string();
        result(json!({ "content": [{ "type": "text", "text": text }] }))
    };
    let safe = with(json!([]));
    for status in [404, 400, 422] {
        for attempt in [nested(status), in_text(status)] {
            let verdict = first(&safe, attempt);
            assert_eq!((verdict.retry_delay_ms, verdict.class), (0, Class::Permanent), "{status}");
        }
    }
    for attempt in [nested(503), in_text(503)] {
        assert!(first(&safe, attempt).retry_delay_ms > 0);
    }
    // As the original did.
    let compatible = start(r#"{"check_text_content": true}"#);
    assert_eq!(told(&first(&compatible, nested(404))), (Reason::StructuredError, true));
    assert_eq!(told(&first(&compatible, in_text(404))), (Reason::TextError, true));
}

#[test]
fn what_is_wrong_with_a_signal_is_said_with_its_place() {
    for (signal, path) in [
        (json!("busy"), "signals[0]"),
        (json!({ "means": "transient" }), "signals[0].match"),
        (json!({ "match": { "text": "busy" } }), "signals[0].means"),
        (json!({ "match": { "text": "busy" }, "means": "fatal" }), "signals[0].means"),
        (json!({ "match": {}, "means": "transient" }), "signals[0].match"),
        (
            json!({ "match": { "text": "{seconds}" }, "means": "transient" }),
            "signals[0].match.text",
        ),
        (json!({ "match": { "code": 1.5 }, "means": "transient" }), "signals[0].match.code[0]"),
        (json!({ "match": { "pointer": "a" }, "means": "transient" }), "signals[0].match.pointer"),
        (
            json!({ "match": { "text": "busy", "equals": 1 }, "means": "transient" }),
            "signals[0].match.equals",
        ),
    ] {
        let found = issues(&json!({ "signals": [signal] }).to_string());
        assert_eq!(found.len(), 1, "{signal}: {found:?}");
        assert_eq!(found[0].path, path, "{signal}");
    }
}

//! Whether a call is sent again of which the upstream may have done the work.

use host_harness::{
    contract::{HttpError, Outcome, Reason, ToolAnnotations, TransportFailure},
    gateway::{Background, CallContext},
    sandbox::Plugin,
};
use serde_json::json;

use super::{around, first, result, told};
use crate::plugin_under_test::{FAILED, start, status};

/// Of these nobody knows whether the upstream did the work.
fn ambiguous() -> [Outcome; 6] {
    [
        FAILED,
        Outcome::TimedOut,
        Outcome::TransportFailed(TransportFailure::AfterDispatch),
        Outcome::HttpError(HttpError { status: 503, pushback_ms: None }),
        Outcome::RpcError(-32_603),
        status(500),
    ]
}

/// After these the upstream surely did nothing.
fn not_executed() -> [Outcome; 3] {
    [
        Outcome::TransportFailed(TransportFailure::BeforeDispatch),
        Outcome::HttpError(HttpError { status: 429, pushback_ms: None }),
        status(429),
    ]
}

fn hints(
    read_only: Option<bool>,
    destructive: Option<bool>,
    idempotent: Option<bool>,
) -> Background {
    let annotations = Some(ToolAnnotations { read_only, destructive, idempotent });
    around(CallContext {
        upstream: Some("github".to_owned()),
        annotations,
        ..CallContext::default()
    })
}

fn assert_retried(plugin: &Plugin, background: &Background, retried: bool) {
    for outcome in ambiguous() {
        let verdict = first(plugin, (outcome, background.clone()));
        assert_eq!(verdict.retry_delay_ms > 0, retried, "{outcome:?}");
        assert_eq!(verdict.reason == Reason::NotReplaySafe, !retried, "{outcome:?}");
    }
    for outcome in not_executed() {
        let verdict = first(plugin, (outcome, background.clone()));
        assert!(verdict.retry_delay_ms > 0, "{outcome:?} was not executed");
    }
}

#[test]
fn always_retries_and_never_retries_only_what_was_not_executed() {
    let silent = Background::none();
    assert_retried(&start("null"), &silent, true);
    assert_retried(&start(r#"{"replay_safety": "always"}"#), &silent, true);
    assert_retried(&start(r#"{"replay_safety": "never", "idempotent": true}"#), &silent, false);
}

#[test]
fn annotated_believes_the_hints_of_a_trusted_upstream() {
    let plugin = start(r#"{"replay_safety": "annotated", "trusted_upstreams": ["git*"]}"#);
    let (yes, no) = (Some(true), Some(false));
    for (read_only, destructive, idempotent, retried) in [
        (None, None, None, false),
        (yes, None, None, true),
        (None, None, yes, true),
        (yes, no, no, true),
        (no, no, no, false),
        (None, yes, None, false),
        // An explicit "destructive" outweighs "read-only", but not "idempotent".
        (yes, yes, None, false),
        (yes, yes, no, false),
        (None, yes, yes, true),
    ] {
        assert_retried(&plugin, &hints(read_only, destructive, idempotent), retried);
    }
    assert_retried(&plugin, &Background::none(), false);
}

#[test]
fn the_hints_of_an_upstream_that_is_not_trusted_count_for_nothing() {
    for trusted in [json!([]), json!(["gitlab"]), json!(["github?"]), json!(["hub"])] {
        let config = json!({ "replay_safety": "annotated", "trusted_upstreams": trusted });
        assert_retried(&start(&config.to_string()), &hints(Some(true), None, Some(true)), false);
    }
    // Nor do those of one without a name, were everybody trusted.
    let everybody = start(r#"{"replay_safety": "annotated", "trusted_upstreams": ["*"]}"#);
    let annotations =
        Some(ToolAnnotations { read_only: Some(true), destructive: None, idempotent: Some(true) });
    let nameless = around(CallContext { annotations, ..CallContext::default() });
    assert_retried(&everybody, &nameless, false);
    assert_retried(&everybody, &hints(Some(true), None, None), true);
}

#[test]
fn the_operators_mark_outranks_hints_and_false_outranks_everything() {
    let trusted = r#""trusted_upstreams": ["*"]"#;
    let marked = |mark: &str, rule: &str| {
        start(&format!(r#"{{"replay_safety": "{rule}", "idempotent": {mark}, {trusted}}}"#))
    };
    assert_retried(&marked("true", "annotated"), &hints(None, Some(true), None), true);
    assert_retried(&marked("true", "annotated"), &Background::none(), true);
    assert_retried(&marked("false", "annotated"), &hints(Some(true), None, Some(true)), false);
    assert_retried(&marked("false", "always"), &hints(Some(true), None, Some(true)), false);
    assert_retried(&marked("null", "annotated"), &hints(Some(true), None, None), true);
}

#[test]
fn a_payment_is_not_replayed_under_the_safe_profile() {
    let plugin = start(r#"{"profile": "safe"}"#);
    let timed_out = (Outcome::TimedOut, Background::none());
    assert_eq!(told(&first(&plugin, timed_out)), (Reason::NotReplaySafe, false));
    let throttled = result(json!({ "isError": true, "structuredContent": { "status_code": 429 } }));
    assert_eq!(told(&first(&plugin, throttled)), (Reason::RetryableStatus, true));
}

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
fn ambiguous() -> [Outcome; 7] {
    [
        FAILED,
        // The tool's word, not the server's: it may have happened on its way.
        status(429),
        Outcome::TimedOut,
        Outcome::TransportFailed(TransportFailure::AfterDispatch),
        Outcome::HttpError(HttpError { status: 503, pushback_ms: None }),
        Outcome::RpcError(-32_603),
        status(500),
    ]
}

/// After these the upstream surely did nothing.
fn not_executed() -> [Outcome; 2] {
    [
        Outcome::TransportFailed(TransportFailure::BeforeDispatch),
        Outcome::HttpError(HttpError { status: 429, pushback_ms: None }),
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

/// `refused` is the reason that stands against a replay; none if nothing does.
fn assert_retried(plugin: &Plugin, background: &Background, refused: Option<Reason>) {
    for outcome in ambiguous() {
        let verdict = first(plugin, (outcome, background.clone()));
        assert_eq!(verdict.retry_delay_ms > 0, refused.is_none(), "{outcome:?}");
        assert!(!verdict.not_executed, "{outcome:?}");
        if let Some(refused) = refused {
            assert_eq!(verdict.reason, refused, "{outcome:?}");
        }
    }
    for outcome in not_executed() {
        let verdict = first(plugin, (outcome, background.clone()));
        assert!(verdict.retry_delay_ms > 0, "{outcome:?} was not executed");
        assert!(verdict.not_executed, "{outcome:?}");
    }
}

#[test]
fn always_retries_and_never_retries_only_what_was_not_executed() {
    let silent = Background::none();
    assert_retried(&start("null"), &silent, None);
    assert_retried(&start(r#"{"replay_safety": "always"}"#), &silent, None);
    assert_retried(
        &start(r#"{"replay_safety": "never", "idempotent": true}"#),
        &silent,
        Some(Reason::NotReplaySafe),
    );
}

#[test]
fn annotated_believes_the_hints_of_a_trusted_upstream() {
    let plugin = start(r#"{"replay_safety": "annotated", "trusted_upstreams": ["git*"]}"#);
    let (yes, no) = (Some(true), Some(false));
    let (silent, forbid) = (Some(Reason::HintsSilent), Some(Reason::HintsForbid));
    for (read_only, destructive, idempotent, refused) in [
        (None, None, None, silent),
        (no, no, None, silent),
        (yes, None, None, None),
        (None, None, yes, None),
        (yes, no, no, None),
        (no, no, no, forbid),
        (None, yes, None, forbid),
        // The others mean something only where "read-only" is false.
        (yes, yes, None, None),
        (yes, yes, no, None),
        (None, yes, yes, None),
    ] {
        assert_retried(&plugin, &hints(read_only, destructive, idempotent), refused);
    }
    assert_retried(&plugin, &Background::none(), Some(Reason::HintsNotSeen));
}

#[test]
fn the_hints_of_an_upstream_that_is_not_trusted_count_for_nothing() {
    for trusted in [json!([]), json!(["gitlab"]), json!(["github?"]), json!(["hub"])] {
        let config = json!({ "replay_safety": "annotated", "trusted_upstreams": trusted });
        assert_retried(
            &start(&config.to_string()),
            &hints(Some(true), None, Some(true)),
            Some(Reason::HintsNotTrusted),
        );
    }
    // Nor do those of one without a name, were everybody trusted.
    let everybody = start(r#"{"replay_safety": "annotated", "trusted_upstreams": ["*"]}"#);
    let annotations =
        Some(ToolAnnotations { read_only: Some(true), destructive: None, idempotent: Some(true) });
    let nameless = around(CallContext { annotations, ..CallContext::default() });
    assert_retried(&everybody, &nameless, Some(Reason::HintsNotTrusted));
    assert_retried(&everybody, &hints(Some(true), None, None), None);
}

#[test]
fn what_the_gateway_says_of_trust_outranks_the_list_of_names() {
    let annotations =
        Some(ToolAnnotations { read_only: Some(true), destructive: None, idempotent: None });
    let said = |trusted, name: Option<&str>| {
        let upstream = name.map(str::to_owned);
        around(CallContext { upstream, annotations, trusted, ..CallContext::default() })
    };
    let nobody = start(r#"{"replay_safety": "annotated", "trusted_upstreams": []}"#);
    let everybody = start(r#"{"replay_safety": "annotated", "trusted_upstreams": ["*"]}"#);
    for name in [Some("github"), None] {
        assert_retried(&nobody, &said(Some(true), name), None);
        assert_retried(&everybody, &said(Some(false), name), Some(Reason::HintsNotTrusted));
    }
    // Trust in hints is no hint.
    let silent = around(CallContext { trusted: Some(true), ..CallContext::default() });
    assert_retried(&nobody, &silent, Some(Reason::HintsNotSeen));
}

#[test]
fn the_operators_mark_outranks_hints_and_false_outranks_everything() {
    let trusted = r#""trusted_upstreams": ["*"]"#;
    let marked = |mark: &str, rule: &str| {
        start(&format!(r#"{{"replay_safety": "{rule}", "idempotent": {mark}, {trusted}}}"#))
    };
    assert_retried(&marked("true", "annotated"), &hints(None, Some(true), None), None);
    assert_retried(&marked("true", "annotated"), &Background::none(), None);
    assert_retried(
        &marked("false", "annotated"),
        &hints(Some(true), None, Some(true)),
        Some(Reason::NotReplaySafe),
    );
    assert_retried(
        &marked("false", "always"),
        &hints(Some(true), None, Some(true)),
        Some(Reason::NotReplaySafe),
    );
    assert_retried(&marked("null", "annotated"), &hints(Some(true), None, None), None);
}

#[test]
fn a_payment_is_not_replayed_under_the_safe_profile() {
    let plugin = start(r#"{"profile": "safe"}"#);
    let timed_out = (Outcome::TimedOut, Background::none());
    assert_eq!(told(&first(&plugin, timed_out)), (Reason::HintsNotSeen, false));
    let throttled = result(json!({ "isError": true, "structuredContent": { "status_code": 429 } }));
    assert_eq!(told(&first(&plugin, throttled)), (Reason::HintsNotSeen, false));
    let itself = Outcome::HttpError(HttpError { status: 429, pushback_ms: None });
    let itself = first(&plugin, (itself, Background::none()));
    assert_eq!(told(&itself), (Reason::RetryableStatus, true));
}

#[test]
fn a_continuation_is_replayed_only_if_it_surely_was_not_sent() {
    let plugin = start(r#"{"profile": "safe", "idempotent": true}"#);
    let continues = || around(CallContext { continuation: true, ..CallContext::default() });
    let timed_out = first(&plugin, (Outcome::TimedOut, continues()));
    assert_eq!(told(&timed_out), (Reason::Continuation, false));
    let not_sent = Outcome::TransportFailed(TransportFailure::BeforeDispatch);
    assert!(first(&plugin, (not_sent, continues())).retry_delay_ms > 0);
}

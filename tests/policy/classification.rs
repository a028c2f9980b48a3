//! Which failures are transient, and under which reason.

use std::ops::RangeInclusive;

use host_harness::{
    contract::{HttpError, Outcome, Reason, TransportFailure, Unfinished},
    gateway::Background,
    mcp::ResultContent,
};
use serde_json::json;

use super::{first, result, rpc_error, told};
use crate::plugin_under_test::{issues, start};

fn plain(outcome: Outcome) -> (Outcome, Background) {
    (outcome, Background::none())
}

#[test]
fn codes_are_configured_as_numbers_and_ranges() {
    let plugin = start(r#"{"retry_on_rpc_codes": ["-32019..-32000", 7]}"#);
    for code in [-32_000, -32_001, -32_019, 7] {
        assert_eq!(told(&first(&plugin, plain(Outcome::RpcError(code)))), (Reason::RpcError, true));
    }
    for code in [-32_603, -31_999, 0, 6, 8] {
        let verdict = first(&plugin, plain(Outcome::RpcError(code)));
        assert_eq!(told(&verdict), (Reason::RpcCodeNotRetryable, false), "{code}");
    }
}

#[test]
fn a_code_that_blames_the_request_is_never_retried_whatever_is_configured() {
    let plugin = start(r#"{"retry_on_rpc_codes": ["-40000..0"]}"#);
    for code in [-32_700, -32_600, -32_601, -32_602, -32_002, -32_020, -32_021, -32_042] {
        let verdict = first(&plugin, plain(Outcome::RpcError(code)));
        assert_eq!(told(&verdict), (Reason::RpcCodeNotRetryable, false), "{code}");
    }
    assert_eq!(told(&first(&plugin, plain(Outcome::RpcError(-32_603)))), (Reason::RpcError, true));
}

/// The codes that the schemas of the protocol name, and the range that they keep.
fn protocol_codes() -> (Vec<i64>, RangeInclusive<i64>) {
    let (mut named, mut reserved) = (Vec::new(), None);
    for line in include_str!("protocol_error_codes.txt").lines() {
        match *line.split(' ').collect::<Vec<_>>() {
            ["#", ..] => {}
            ["reserved", least, most] => {
                reserved = Some(least.parse().expect("a code")..=most.parse().expect("a code"));
            }
            [_, code, _] => named.push(code.parse().expect("a code")),
            _ => panic!("not a line of the file: {line}"),
        }
    }
    (named, reserved.expect("a range"))
}

#[test]
fn a_code_to_which_the_protocol_gave_a_meaning_is_not_overruled_by_words() {
    let plugin = start(r#"{"profile": "safe", "idempotent": true}"#);
    let busy =
        |code: i64| json!({ "code": code, "message": "Rate limit exceeded, retry after 2s" });
    let (named, reserved) = protocol_codes();
    // An exception of a handler, and what some servers make of a refusal behind them.
    let says_nothing = [-32_603, -32_600];
    for code in named.iter().filter(|code| !says_nothing.contains(code)) {
        let verdict = first(&plugin, rpc_error(busy(*code)));
        assert_eq!(told(&verdict), (Reason::RpcCodeNotRetryable, false), "{code}");
    }
    // Servers used the range before it was reserved: of a code without a meaning,
    // only the plain words of a server that is throttling say more than the range.
    for code in reserved.filter(|code| !named.contains(code)) {
        assert!(first(&plugin, rpc_error(busy(code))).retry_delay_ms >= 2_000, "{code}");
        for message in ["upstream connection reset by peer", "try again", ""] {
            let verdict = first(&plugin, rpc_error(json!({ "code": code, "message": message })));
            assert_eq!(told(&verdict), (Reason::RpcCodeNotRetryable, false), "{code} {message}");
        }
    }
}

#[test]
fn statuses_are_configured_as_numbers_ranges_and_classes() {
    let plugin = start(r#"{"retry_on_status": ["5xx", "420..429", 408, -7]}"#);
    let status = |status: i64| result(json!({ "structuredContent": { "status_code": status } }));
    for code in [500, 550, 599, 420, 425, 429, 408, -7] {
        assert_eq!(told(&first(&plugin, status(code))), (Reason::RetryableStatus, true), "{code}");
    }
    for code in [499, 600, 419, 430, 409] {
        assert_eq!(
            told(&first(&plugin, status(code))),
            (Reason::StatusNotRetryable, false),
            "{code}"
        );
    }
    let http = |status| plain(Outcome::HttpError(HttpError { status, pushback_ms: None }));
    assert_eq!(told(&first(&plugin, http(502))), (Reason::RetryableStatus, true));
    assert_eq!(told(&first(&plugin, http(404))), (Reason::StatusNotRetryable, false));
}

#[test]
fn a_status_is_found_where_pointers_lead() {
    let plugin =
        start(r#"{"status_pointers": ["/error/code", "/statusCode", "/a~1b"], "jitter": "none"}"#);
    for body in [
        json!({"error": {"code": 503}}),
        json!({"statusCode": 503}),
        json!({"a/b": 503}),
        json!({"error": {"code": "503"}, "statusCode": 503}),
    ] {
        let in_result = result(json!({ "structuredContent": body }));
        assert_eq!(told(&first(&plugin, in_result)), (Reason::RetryableStatus, true), "{body}");
        // A code that is not retried may carry a status that is.
        let in_error = rpc_error(json!({ "code": -32_000, "message": "", "data": body }));
        assert_eq!(told(&first(&plugin, in_error)), (Reason::RetryableStatus, true), "{body}");
    }
    let not_found = json!({ "isError": true, "structuredContent": { "statusCode": 404 } });
    assert_eq!(told(&first(&plugin, result(not_found))), (Reason::StatusNotRetryable, false));
    let nearer = json!({ "structuredContent": { "status_code": 200, "statusCode": 503 } });
    assert_eq!(told(&first(&plugin, result(nearer))), (Reason::Succeeded, false));
    for no_status in [json!(true), json!(503.0), json!("503"), json!(4_294_967_799_i64), json!({})]
    {
        let body = json!({ "structuredContent": { "statusCode": no_status } });
        assert_eq!(told(&first(&plugin, result(body))), (Reason::Succeeded, false), "{no_status}");
    }
    // Without pointers nothing but `status_code` is a status.
    let deep = result(json!({ "structuredContent": { "statusCode": 503 } }));
    assert_eq!(told(&first(&start("null"), deep)), (Reason::Succeeded, false));
}

#[test]
fn what_is_not_over_or_was_ended_on_purpose_is_not_retried() {
    let plugin = start(r#"{"profile": "compatible"}"#);
    for (outcome, reason) in [
        (Outcome::Unfinished(Unfinished::InputRequired), Reason::Unfinished),
        (Outcome::Unfinished(Unfinished::Task), Reason::Unfinished),
        (Outcome::Cancelled, Reason::Cancelled),
        (Outcome::Refused, Reason::Refused),
    ] {
        assert_eq!(told(&first(&plugin, plain(outcome))), (reason, false));
    }
    // From the result itself, as the gateway reads it.
    for more in [
        json!({ "resultType": "input_required", "isError": true, "inputRequests": {} }),
        json!({ "resultType": "task", "taskId": "1", "status": "working" }),
        json!({ "task": { "taskId": "1", "status": "working" } }),
    ] {
        assert!(matches!(ResultContent::of(&more).outcome(), Outcome::Unfinished(_)));
        assert_eq!(told(&first(&plugin, result(more))), (Reason::Unfinished, false));
    }
}

#[test]
fn every_signal_has_its_own_reason() {
    let plugin = start(r#"{"check_text_content": true}"#);
    let text = |text: &str| result(json!({ "content": [{ "type": "text", "text": text }] }));
    for (attempt, reason) in [
        (result(json!({ "isError": true })), Reason::ToolError),
        (result(json!({ "structuredContent": { "isError": true } })), Reason::StructuredError),
        (text(r#"{"isError": true}"#), Reason::TextError),
        (text(r#"{"status_code": 503}"#), Reason::RetryableStatus),
        (plain(Outcome::TimedOut), Reason::TimedOut),
        (plain(Outcome::TransportFailed(TransportFailure::AfterDispatch)), Reason::TransportFailed),
        (plain(Outcome::RpcError(-32_603)), Reason::RpcError),
    ] {
        assert_eq!(told(&first(&plugin, attempt)), (reason, true));
    }
}

#[test]
fn what_is_no_code_or_status_is_refused_with_its_place() {
    for (config, path) in [
        (r#"{"retry_on_status": ["0xx"]}"#, "retry_on_status[0]"),
        (r#"{"retry_on_status": [500, "599..500"]}"#, "retry_on_status[1]"),
        (r#"{"retry_on_status": ["0..1000"]}"#, "retry_on_status[0]"),
        (r#"{"retry_on_rpc_codes": ["5xx"]}"#, "retry_on_rpc_codes[0]"),
        (r#"{"retry_on_rpc_codes": [1.5]}"#, "retry_on_rpc_codes[0]"),
        (r#"{"status_pointers": ["statusCode"]}"#, "status_pointers[0]"),
        (r#"{"status_pointers": ["/a~2"]}"#, "status_pointers[0]"),
    ] {
        let issues = issues(config);
        assert_eq!(issues.len(), 1, "{config}: {issues:?}");
        assert_eq!(issues[0].path, path, "{config}");
    }
}

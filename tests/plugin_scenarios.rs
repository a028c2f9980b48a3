//! The scenarios of the original plugin's own tests, by their numbers in
//! `scenarios.md`: A delays, B detection, C overrides, D the ceiling, E a
//! call's life, F state, H and I what observers are told.
//!
//! Not here: G (the original's choice between two implementations, of which
//! there is one here), H1-H3 (the policy in every verdict, which the peer has
//! dropped as well), J-L (the loop, see `loop_scenarios`).

use host_harness::{
    contract::{Invocation, Issue, Known, Outcome, Returned, Structured, TraceMetadata},
    gateway::{CallContext, Hook, RetryHook},
    sandbox::Plugin,
};
use serde_json::{Value, json};

use crate::plugin_under_test::{
    FAILED, OK, invocation, judge, judge_outcome, metric, start, status, try_start,
};

/// The delays of failures in a row of one call.
fn delays(plugin: &Plugin, tool: &str, failures: usize) -> Vec<u64> {
    (0..failures).map(|_| fail(plugin, tool, "1")).collect()
}

fn fail(plugin: &Plugin, tool: &str, request_id: &str) -> u64 {
    judge_outcome(plugin, invocation(tool, request_id), &FAILED).retry_delay_ms
}

fn succeed(plugin: &Plugin, tool: &str, request_id: &str) -> u64 {
    judge_outcome(plugin, invocation(tool, request_id), &OK).retry_delay_ms
}

#[test]
fn delays_double_up_to_the_cap() {
    let config = |base, cap| {
        json!({ "max_retries": 10, "jitter": false, "backoff_base_ms": base, "max_backoff_ms": cap })
            .to_string()
    };
    // A1
    assert_eq!(delays(&start(&config(200, 5_000)), "t", 3), [200, 400, 800]);
    // A2
    let capped = delays(&start(&config(200, 500)), "t", 10);
    assert_eq!(capped[..3], [200, 400, 500]);
    assert_eq!(capped[9], 500);
    // A4
    assert_eq!(delays(&start(&config(100, 100_000)), "t", 5), [100, 200, 400, 800, 1_600]);
}

#[test]
fn jitter_stays_between_one_and_the_cap() {
    // A3; the original allowed 0, which says "do not retry" here.
    let plugin = start(r#"{"max_retries": 10, "backoff_base_ms": 200, "max_backoff_ms": 300}"#);
    for request in 0..200 {
        for _ in 0..6 {
            let delay = fail(&plugin, "t", &request.to_string());
            assert!((1..=300).contains(&delay), "{delay}");
        }
    }
}

#[test]
fn failures_are_found_where_the_original_finds_them() {
    let check = r#"{"jitter": false, "check_text_content": true}"#;
    let plain = r#"{"jitter": false}"#;
    let only_408 = r#"{"jitter": false, "retry_on_status": [408]}"#;
    let text = |inner: &str| json!([{ "type": "text", "text": inner }]);
    let coded = |code| json!({ "isError": false, "structuredContent": { "status_code": code } });
    let error = |code| json!({ "isError": true, "structuredContent": { "status_code": code } });
    let cases: Vec<(&str, &str, Value, bool)> = vec![
        ("B1", plain, json!({ "isError": true }), true),
        ("B2", plain, json!({ "isError": false }), false),
        ("B3", plain, coded(500), true),
        ("B4", plain, coded(400), false),
        ("B5", plain, coded(200), false),
        (
            "B6",
            plain,
            json!({ "structuredContent": null, "content": text(r#"{"status_code": 503}"#) }),
            false,
        ),
        (
            "B7",
            check,
            json!({ "structuredContent": null, "content": text(r#"{"status_code": 503}"#) }),
            true,
        ),
        ("B8", check, json!({ "content": text(r#"{"status_code": 400}"#) }), false),
        (
            "B9",
            check,
            json!({ "structuredContent": { "status_code": 200 }, "content": text(r#"{"status_code": 503}"#) }),
            false,
        ),
        ("B10", check, json!({ "content": text("not json at all") }), false),
        ("B11", check, json!({ "content": text(r#"{"isError": true}"#) }), true),
        ("B12", plain, json!("isError"), false),
        ("B12", plain, json!(null), false),
        ("B12", plain, json!(42), false),
        ("B13", plain, json!({}), false),
        ("B14", only_408, coded(408), true),
        ("B14", only_408, coded(500), false),
        ("B15", plain, json!({ "isError": false, "structuredContent": { "isError": true } }), true),
        ("B16", plain, json!({ "isError": false, "structuredContent": { "result": "ok" } }), false),
        ("B17", plain, error(503), true),
        ("B18", plain, error(400), false),
        ("B19", plain, error(404), false),
        ("B20", plain, error(401), false),
        ("B21", plain, json!({ "isError": true, "content": [] }), true),
        ("B21", plain, json!({ "isError": true, "structuredContent": null }), true),
        ("B22", plain, json!({ "isError": true, "structuredContent": {} }), true),
    ];
    for (name, config, result, failed) in cases {
        let delay = judge(&start(config), "t", "1", &result).retry_delay_ms;
        assert_eq!(delay, if failed { 200 } else { 0 }, "{name}: {result}");
    }
}

#[test]
fn an_override_changes_its_own_tool_and_only_the_keys_it_names() {
    let plugin = start(
        r#"{"jitter": false, "max_retries": 3, "tool_overrides": {"mine": {"max_retries": 1}}}"#,
    );
    // C1, C4: a tool without an override has the base.
    assert_eq!(delays(&plugin, "other", 4), [200, 400, 800, 0]);
    // C2: the rest of the override is the base's.
    assert_eq!(delays(&plugin, "mine", 2), [200, 0]);
}

#[test]
fn overrides_do_not_nest() {
    // C3
    let nested = json!({ "tool_overrides": { "t": { "tool_overrides": {} } } }).to_string();
    assert!(try_start(&nested, 10).is_err());
}

#[test]
fn the_gateways_ceiling_clamps_what_is_configured_and_what_is_not() {
    let retries =
        |plugin: &Plugin, tool: &str| (0..12).take_while(|_| fail(plugin, tool, "d") > 0).count();
    let notices = |plugin: &Plugin| -> Vec<(String, String)> {
        let texts = |Issue { path, message }: &Issue| (path.clone(), message.clone());
        plugin.notices().iter().map(texts).collect()
    };
    // D1, D5
    for ceiling in [3, 5] {
        let plugin = try_start(r#"{"max_retries": 3}"#, ceiling).expect("good");
        assert_eq!((retries(&plugin, "t"), notices(&plugin)), (3, vec![]));
    }
    // D2, D4
    let plugin = try_start(r#"{"max_retries": 5}"#, 1).expect("good");
    assert_eq!(retries(&plugin, "t"), 1);
    let said = "5 is above the gateway's ceiling 1; 1 is used".to_owned();
    assert_eq!(notices(&plugin), [("max_retries".to_owned(), said)]);
    // D3
    let config = r#"{"max_retries": 1, "tool_overrides": {"slow_api": {"max_retries": 10}}}"#;
    let plugin = try_start(config, 2).expect("good");
    assert_eq!((retries(&plugin, "slow_api"), retries(&plugin, "t")), (2, 1));
    assert_eq!(notices(&plugin)[0].0, r#"tool_overrides["slow_api"].max_retries"#);
    // The peer forgets to clamp its own default.
    let plugin = try_start("null", 1).expect("good");
    assert_eq!((retries(&plugin, "t"), notices(&plugin).len()), (1, 1));
    assert_eq!(retries(&try_start("null", 0).expect("good"), "t"), 0);
}

#[test]
fn a_call_lives_as_in_the_original() {
    let config = |text: &str| start(&text.replace('{', r#"{"jitter": false, "#));
    let three = config(r#"{"max_retries": 3}"#);
    // E1, E2
    assert_eq!(succeed(&three, "e1", "1"), 0);
    assert!(fail(&three, "e2", "1") > 0);
    // E3
    let growing = delays(&config(r#"{"backoff_base_ms": 100}"#), "e3", 2);
    assert!(growing[0] < growing[1]);
    // E4, E5
    assert_eq!(delays(&config(r#"{"max_retries": 2}"#), "e4", 4), [200, 400, 0, 200]);
    // E6
    let one = config(r#"{"max_retries": 1}"#);
    assert!(fail(&one, "e6", "1") > 0);
    assert_eq!(succeed(&one, "e6", "1"), 0);
    assert!(fail(&one, "e6", "1") > 0);
    // E7 is in `an_override_changes_its_own_tool`.
    // E8
    assert!(fail(&one, "a", "8") > 0);
    assert_eq!(fail(&one, "a", "8"), 0);
    assert!(fail(&one, "b", "8") > 0);
    // E9, E10
    assert!(judge_outcome(&three, invocation("e9", "1"), &status(503)).retry_delay_ms > 0);
    assert_eq!(judge_outcome(&three, invocation("e10", "1"), &status(400)).retry_delay_ms, 0);
    // E11
    assert_eq!(fail(&config(r#"{"max_retries": 0}"#), "e11", "1"), 0);
}

#[test]
fn state_is_kept_for_five_minutes_of_silence_and_not_longer() {
    let plugin = start(r#"{"jitter": false, "max_retries": 10}"#);
    let at = |tool: &'static str, now_ms| {
        judge_outcome(&plugin, Invocation { now_ms, ..invocation(tool, "1") }, &FAILED).failures
    };
    // F1, F2
    assert_eq!((at("old", 0), at("old", 0), metric(&plugin, "calls.tracked")), (1, 2, 1));
    // F4
    assert_eq!(at("other", 300_000), 1);
    assert_eq!(metric(&plugin, "calls.tracked"), 2);
    // F3, on the success path as well
    let later = Invocation { now_ms: 300_001, ..invocation("third", "1") };
    judge_outcome(&plugin, later, &OK);
    assert_eq!((metric(&plugin, "calls.tracked"), metric(&plugin, "calls.expired")), (1, 1));
    assert_eq!(at("old", 300_002), 1);
}

#[test]
fn state_outlives_the_longest_backoff() {
    let hour = 3_600_000;
    let plugin = start(
        r#"{"jitter": false, "max_retries": 10,
            "tool_overrides": {"slow": {"backoff_base_ms": 3600000, "max_backoff_ms": 3600000}}}"#,
    );
    let at = |now_ms| {
        judge_outcome(&plugin, Invocation { now_ms, ..invocation("slow", "1") }, &FAILED).failures
    };
    assert_eq!((at(0), at(hour + 60_000)), (1, 2));
}

#[test]
fn resources_are_told_the_base_policy() {
    // H4, I7
    let plugin = start(
        r#"{"max_retries": 2, "backoff_base_ms": 150, "max_backoff_ms": 3000,
            "retry_on_status": [503, 429, 503], "tool_overrides": {"file:///a": {"max_retries": 9}}}"#,
    );
    let policy = plugin.resource_policy().expect("a policy");
    assert_eq!(
        (policy.max_retries, policy.backoff_base_ms, policy.max_backoff_ms),
        (2, 150, 3_000)
    );
    assert_eq!(policy.retry_on_status, [429, 503]);
    assert_eq!(metric(&plugin, "calls.tracked"), 0);
}

#[test]
fn numbers_for_observers_are_given_with_a_trace_and_only_then() {
    let traced = |plugin: &Plugin, outcome: &Outcome| {
        let call = Invocation { known: Known::TRACE, ..invocation("t", "1") };
        judge_outcome(plugin, call, outcome).metadata
    };
    let numbers = |retry_count, retry_delay_ms| Some(TraceMetadata { retry_count, retry_delay_ms });
    let three = start(r#"{"jitter": false, "max_retries": 3}"#);
    // I1, I6
    let untraced = judge_outcome(&three, invocation("t", "1"), &FAILED);
    assert!(untraced.retry_delay_ms > 0);
    assert_eq!(untraced.metadata, None);
    // I3
    assert_eq!(traced(&three, &FAILED), numbers(2, 400));
    // I2
    assert_eq!(traced(&three, &OK), numbers(0, 0));
    // I4
    let one = start(r#"{"jitter": false, "max_retries": 1}"#);
    fail(&one, "t", "1");
    assert_eq!(traced(&one, &FAILED), numbers(2, 0));
}

#[test]
fn a_fresh_instance_believes_the_gateways_count_of_attempts() {
    let plugin = start(r#"{"jitter": false, "max_retries": 2}"#);
    let at = |attempt, id: &'static str| {
        judge_outcome(&plugin, Invocation { attempt, ..invocation("t", id) }, &FAILED)
    };
    assert_eq!(at(2, "a").retry_delay_ms, 400);
    assert_eq!((at(3, "b").retry_delay_ms, at(3, "b").failures), (0, 3));
}

#[test]
fn a_retry_that_cannot_start_in_time_is_not_asked_for() {
    let plugin = start(r#"{"jitter": false}"#);
    let with = |left, id: &'static str| {
        let call = Invocation { time_left_ms: Some(left), ..invocation("t", id) };
        judge_outcome(&plugin, call, &FAILED).retry_delay_ms
    };
    assert_eq!((with(200, "a"), with(201, "b")), (0, 200));
    assert_eq!(metric(&plugin, "calls.tracked"), 1, "the refused one is not kept");
}

#[test]
fn an_error_that_blames_the_request_is_not_retried_and_others_are() {
    let plugin = start(r#"{"jitter": false}"#);
    let delay = |code: i64| {
        let id = code.to_string();
        judge_outcome(&plugin, invocation("t", &id), &Outcome::RpcError(code)).retry_delay_ms
    };
    for code in [-32_700, -32_600, -32_601, -32_602, -32_002, -32_020, -32_021, -32_042] {
        assert_eq!(delay(code), 0, "{code}");
    }
    // 0 is what the Python SDK makes of any exception in a handler.
    for code in [-32_603, 0] {
        assert_eq!(delay(code), 200, "{code}");
    }
    for code in [-32_000, -32_001, -32_019, 1, i64::MIN, i64::MAX] {
        assert_eq!(delay(code), 0, "{code}: only if it is configured");
    }
}

#[test]
fn a_forgotten_call_begins_anew() {
    let plugin = start(r#"{"jitter": false}"#);
    fail(&plugin, "t", "1");
    plugin.forget(Hook::ToolPostInvoke, "t", "1", &CallContext::default());
    plugin.forget(Hook::ToolPostInvoke, "t", "1", &CallContext::default());
    plugin.forget(Hook::ToolPostInvoke, "unknown", "1", &CallContext::default());
    assert_eq!((metric(&plugin, "calls.tracked"), metric(&plugin, "calls.forgotten")), (0, 1));
    assert_eq!(fail(&plugin, "t", "1"), 200);
}

#[test]
fn a_status_beside_an_error_inside_structured_content_does_not_speak_against_a_retry() {
    let plugin = start(r#"{"jitter": false}"#);
    let structured = Some(Structured { is_error: true, status_code: Some(404) });
    let outcome = Outcome::Returned(Returned { is_error: false, structured });
    assert_eq!(judge_outcome(&plugin, invocation("t", "1"), &outcome).retry_delay_ms, 200);
}

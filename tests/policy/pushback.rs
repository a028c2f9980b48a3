//! When the upstream says when to come back.

use std::time::{Duration, UNIX_EPOCH};

use host_harness::{
    contract::{HttpError, Outcome, Reason},
    gateway::{Background, pushback_ms},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{first, result, rpc_error, told};
use crate::plugin_under_test::start;

const HONOR: &str = r#"{"jitter": "none", "backoff_base_ms": 200, "pushback": {"honor": true}}"#;

fn http(status: u16, pushback_ms: Option<i64>) -> (Outcome, Background) {
    (Outcome::HttpError(HttpError { status, pushback_ms }), Background::none())
}

#[test]
fn a_wish_is_a_floor_under_the_delay() {
    let plugin = start(HONOR);
    assert_eq!(first(&plugin, http(503, Some(3_000))).retry_delay_ms, 3_000);
    assert_eq!(first(&plugin, http(503, Some(50))).retry_delay_ms, 200, "the backoff is longer");
    assert_eq!(first(&plugin, http(503, Some(0))).retry_delay_ms, 200);
    assert_eq!(first(&plugin, http(503, None)).retry_delay_ms, 200);
}

#[test]
fn a_wish_beyond_the_cap_ends_the_call_and_a_negative_one_too() {
    let plugin = start(HONOR);
    assert_eq!(first(&plugin, http(429, Some(60_000))).retry_delay_ms, 60_000);
    let too_long = first(&plugin, http(429, Some(60_001)));
    assert_eq!(told(&too_long), (Reason::PushbackTooLong, false));
    for never in [-1, i64::MIN] {
        assert_eq!(told(&first(&plugin, http(429, Some(never)))), (Reason::PushbackStop, false));
    }
    assert_eq!(told(&first(&plugin, http(429, Some(i64::MAX)))), (Reason::PushbackTooLong, false));
}

#[test]
fn jitter_does_not_make_a_wait_longer_than_the_cap() {
    let plugin = start(r#"{"backoff_base_ms": 200, "pushback": {"honor": true}}"#);
    for wait in [50_000, 59_999, 60_000] {
        for _ in 0..50 {
            let verdict = first(&plugin, http(429, Some(wait)));
            let (least, most) = (u64::try_from(wait).expect("a wait"), 60_000);
            assert!((least..=most).contains(&verdict.retry_delay_ms), "{verdict:?}");
            assert!(verdict.delay_ceiling_ms <= most, "{verdict:?}");
        }
    }
}

#[test]
fn without_honor_nobody_listens() {
    let plugin = start(r#"{"jitter": "none"}"#);
    for wish in [Some(3_000), Some(-1), Some(i64::MAX)] {
        assert_eq!(first(&plugin, http(503, wish)).retry_delay_ms, 200);
    }
}

#[test]
fn headers_reach_the_plugin_as_the_gateway_reads_them() {
    let plugin = start(HONOR);
    let now = UNIX_EPOCH + Duration::from_secs(1_795_521_600);
    for (headers, delay) in [
        (vec![("Retry-After", "7")], 7_000),
        (vec![("Retry-After", "Tue, 24 Nov 2026 12:00:09 GMT")], 9_000),
        (vec![("Retry-After-Ms", "1500")], 1_500),
        (vec![("X-RateLimit-Reset", "1795521612")], 12_000),
        (vec![("Retry-After", "1"), ("RateLimit-Reset", "4")], 1_000),
        (vec![("Content-Length", "0")], 200),
    ] {
        let wish = pushback_ms(429, headers.iter().copied(), now);
        assert_eq!(first(&plugin, http(429, wish)).retry_delay_ms, delay, "{headers:?}");
    }
}

#[test]
fn a_body_may_tell_it_too_in_seconds_or_milliseconds() {
    let plugin = start(HONOR);
    for (body, delay) in [
        (json!({"retry_after": 2}), 2_000),
        (json!({"retry_after": 0.5}), 500),
        (json!({"retry_after": "3"}), 3_000),
        (json!({"retry_after_seconds": 4}), 4_000),
        (json!({"retryAfterMs": 900}), 900),
        (json!({"retryAfterMs": 900, "retry_after": 5}), 5_000),
        (json!({"retry_after": "soon"}), 200),
        (json!({"retry_after": true}), 200),
    ] {
        let mut content = body.clone();
        content["status_code"] = json!(503);
        let verdict = first(&plugin, result(json!({ "structuredContent": content })));
        assert_eq!(verdict.retry_delay_ms, delay, "{body}");
        let error = json!({ "code": -32_603, "message": "", "data": body });
        assert_eq!(first(&plugin, rpc_error(error)).retry_delay_ms, delay, "{body}");
    }
    let never = json!({ "isError": true, "structuredContent": { "retry_after": -1 } });
    assert_eq!(told(&first(&plugin, result(never))), (Reason::PushbackStop, false));
}

#[test]
fn the_places_in_a_body_are_configurable() {
    let plugin = start(
        r#"{"jitter": "none", "pushback": {"honor": true, "pointers": ["/quota/reset_ms"]}}"#,
    );
    let body = |body: Value| result(json!({ "isError": true, "structuredContent": body }));
    let verdict = first(&plugin, body(json!({ "quota": { "reset_ms": 1_234 } })));
    assert_eq!(verdict.retry_delay_ms, 1_234);
    assert_eq!(first(&plugin, body(json!({ "retry_after": 9 }))).retry_delay_ms, 200);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    /// Never earlier than asked, never later than the cap plus jitter.
    #[test]
    fn a_wish_is_never_cut_short_and_never_exceeded_by_more_than_the_jitter(
        base in 1..2_000_u64, max_ms in 1..=3_600_000_u64, wishes in prop::collection::vec(any_wish(), 1..20),
        jitter in prop::sample::select(vec!["none", "full", "equal", "decorrelated"]),
    ) {
        let plugin = start(&json!({
            "backoff_base_ms": base, "max_backoff_ms": base, "jitter": jitter,
            "pushback": { "honor": true, "max_ms": max_ms },
        }).to_string());
        for wish in wishes {
            let verdict = first(&plugin, http(503, Some(wish)));
            if wish < 0 {
                prop_assert_eq!(told(&verdict), (Reason::PushbackStop, false));
            } else if wish.unsigned_abs() > max_ms {
                prop_assert_eq!(told(&verdict), (Reason::PushbackTooLong, false));
            } else {
                let wish = wish.unsigned_abs();
                prop_assert!(verdict.retry_delay_ms >= wish.max(1), "{:?}", verdict);
                prop_assert!(verdict.retry_delay_ms <= wish.max(base) + base.max(wish / 6), "{:?}", verdict);
                prop_assert!(verdict.retry_delay_ms <= (max_ms + base.max(max_ms / 6)).min(3_600_000).max(base));
            }
        }
    }
}

fn any_wish() -> impl Strategy<Value = i64> {
    prop_oneof![-5..5_i64, 0..4_000_000_i64, any::<i64>()]
}

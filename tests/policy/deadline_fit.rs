//! Whether an attempt of the usual length still fits before the deadline.

use std::time::Duration;

use host_harness::{
    contract::{HttpError, Invocation, Outcome, Reason, TransportFailure, Verdict},
    gateway::Background,
    sandbox::Plugin,
};

use super::{forget, of_upstream, told};
use crate::plugin_under_test::{FAILED, OK, invocation, judge_with, start};

/// The first attempt of a call that took `took_ms` and has `left` until its deadline.
fn attempt(plugin: &Plugin, outcome: &Outcome, took_ms: u64, left: Option<u64>) -> Verdict {
    let background = Background { took: Duration::from_millis(took_ms), ..Background::none() };
    let call = Invocation { time_left_ms: left, ..invocation("t", "1") };
    let verdict = judge_with(plugin, call, outcome, background);
    forget(plugin, "t", "1");
    verdict
}

const FIT: &str = r#"{"jitter": "none", "backoff_base_ms": 200, "deadline_fit": true}"#;

#[test]
fn a_retry_is_refused_if_an_attempt_of_the_usual_length_would_not_end_in_time() {
    // An attempt takes 500 ms here, and the wait 200.
    let plugin = start(FIT);
    attempt(&plugin, &OK, 500, Some(60_000));
    assert_eq!(told(&attempt(&plugin, &FAILED, 500, Some(700))), (Reason::ToolError, true));
    let refused = attempt(&plugin, &FAILED, 500, Some(699));
    assert_eq!(told(&refused), (Reason::AttemptWouldNotFit, false));
    let too_close = attempt(&plugin, &FAILED, 500, Some(200));
    assert_eq!(told(&too_close), (Reason::DeadlineTooClose, false));
}

#[test]
fn the_usual_length_follows_what_was_seen_slowly() {
    let plugin = start(FIT);
    for _ in 0..50 {
        attempt(&plugin, &OK, 100, Some(60_000));
    }
    // One slow attempt moves the mean of 100 by an eighth of the difference, to 200.
    attempt(&plugin, &OK, 900, Some(60_000));
    let fits = |plugin: &Plugin, left| attempt(plugin, &FAILED, 200, Some(left)).retry_delay_ms > 0;
    assert!(fits(&plugin, 400) && !fits(&plugin, 399));
    // What is seen is each tool's own.
    let other = Invocation { time_left_ms: Some(399), ..invocation("other", "1") };
    assert!(judge_with(&plugin, other, &FAILED, Background::none()).retry_delay_ms > 0);
}

#[test]
fn without_a_deadline_or_without_the_key_everything_fits() {
    let on = start(FIT);
    attempt(&on, &OK, 3_000_000, Some(60_000));
    assert!(attempt(&on, &FAILED, 3_000_000, None).retry_delay_ms > 0);
    let off = start(r#"{"jitter": "none"}"#);
    attempt(&off, &OK, 3_000_000, Some(60_000));
    assert!(attempt(&off, &FAILED, 3_000_000, Some(201)).retry_delay_ms > 0);
}

#[test]
fn attempts_that_were_not_answered_say_nothing_of_the_usual_length() {
    let plugin = start(FIT);
    // A hang of 30 s is given up; then everything fits that a wait fits.
    assert!(attempt(&plugin, &Outcome::TimedOut, 30_000, Some(30_000)).retry_delay_ms > 0);
    // Attempts of 20 s do not become short because some were turned away or never sent.
    for _ in 0..20 {
        attempt(&plugin, &OK, 20_000, Some(60_000));
    }
    let unsent = Outcome::TransportFailed(TransportFailure::BeforeDispatch);
    let turned_away = Outcome::HttpError(HttpError { status: 429, pushback_ms: None });
    for unanswered in [unsent, turned_away, Outcome::TimedOut] {
        for _ in 0..20 {
            attempt(&plugin, &unanswered, 2, Some(60_000));
        }
        let refused = attempt(&plugin, &unanswered, 2, Some(5_000));
        assert_eq!(told(&refused), (Reason::AttemptWouldNotFit, false), "{unanswered:?}");
    }
}

#[test]
fn a_tool_of_one_upstream_does_not_have_the_times_of_its_namesake() {
    let plugin = start(FIT);
    let attempt = |upstream: &str, outcome: &Outcome, took_ms: u64, left: u64| {
        let background =
            Background { took: Duration::from_millis(took_ms), ..of_upstream(upstream) };
        let call = Invocation { time_left_ms: Some(left), ..invocation("search", "1") };
        let verdict = judge_with(&plugin, call, outcome, background);
        forget(&plugin, "search", "1");
        verdict
    };
    for _ in 0..50 {
        attempt("slow", &OK, 20_000, 60_000);
    }
    assert!(attempt("fast", &FAILED, 50, 10_000).retry_delay_ms > 0);
    assert_eq!(attempt("slow", &FAILED, 50, 10_000).reason, Reason::AttemptWouldNotFit);
}

#[test]
fn a_delay_is_drawn_among_those_that_fit() {
    // Of 1 to 5,000 ms only those up to 99 fit.
    let plugin = start(r#"{"backoff_base_ms": 5000, "deadline_fit": true}"#);
    for number in 0..200 {
        let id = number.to_string();
        let call = Invocation { time_left_ms: Some(100), ..invocation("t", &id) };
        let verdict = judge_with(&plugin, call, &Outcome::TimedOut, Background::none());
        assert_eq!(told(&verdict), (Reason::TimedOut, true));
        assert!((1..=99).contains(&verdict.retry_delay_ms), "{verdict:?}");
        assert_eq!(verdict.delay_ceiling_ms, 99);
    }
    // Of the half to the whole none does.
    let equal = start(r#"{"backoff_base_ms": 5000, "jitter": "equal", "deadline_fit": true}"#);
    let refused = attempt(&equal, &Outcome::TimedOut, 5, Some(2_500));
    assert_eq!(told(&refused), (Reason::DeadlineTooClose, false));
    assert!(attempt(&equal, &Outcome::TimedOut, 5, Some(2_501)).retry_delay_ms > 0);
}

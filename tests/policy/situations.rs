//! `plugin/EXAMPLES.md`: its configurations do what its tables say.

use std::{fs, path::PathBuf, time::Duration};

use host_harness::{
    contract::{HttpError, Invocation, Outcome, Reason, TransportFailure, Verdict},
    gateway::Background,
    sandbox::Plugin,
};

use super::{forget, of_upstream, told};
use crate::plugin_under_test::{OK, invocation, judge_with, start, status};

const REFUSED: Outcome = Outcome::TransportFailed(TransportFailure::BeforeDispatch);
const LOST: Outcome = Outcome::TransportFailed(TransportFailure::AfterDispatch);

/// The configuration under this heading.
fn situation(heading: &str) -> Plugin {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../plugin/EXAMPLES.md");
    let text = fs::read_to_string(path).expect("the document");
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let (_, config) = section.split_once("```json\n").expect("a configuration");
    start(config.split("```").next().expect("its end"))
}

const fn http(status: u16, pushback_ms: Option<i64>) -> Outcome {
    Outcome::HttpError(HttpError { status, pushback_ms })
}

/// A call whose first attempt ended so, and that is not heard of again.
fn single(plugin: &Plugin, tool: &str, outcome: &Outcome) -> Verdict {
    let verdict = judge_with(plugin, invocation(tool, "1"), outcome, of_upstream("u"));
    forget(plugin, tool, "1");
    verdict
}

#[test]
fn a_rate_limited_api() {
    let plugin = situation("A rate-limited API");
    let delay = single(&plugin, "t", &http(429, Some(7_000))).retry_delay_ms;
    assert!((7_000..=7_200).contains(&delay), "{delay}");
    let long = single(&plugin, "t", &http(429, Some(60_000)));
    assert_eq!(told(&long), (Reason::PushbackTooLong, false));
    assert_eq!(told(&single(&plugin, "t", &http(500, None))).0, Reason::StatusNotRetryable);

    // What it costs: the gateway's bucket of this size pays for so many in a row.
    let asked = single(&plugin, "t", &http(429, Some(1_000)));
    assert_eq!((asked.cost, asked.tool_budget), (100, 1));
    let unasked = single(&plugin, "t", &http(429, None));
    assert_eq!((unasked.cost, unasked.tool_budget), (1_000, 1));
}

#[test]
fn a_payment_tool() {
    let plugin = situation("A payment tool");
    for outcome in [REFUSED, http(429, None)] {
        for tool in ["create_payment", "get_balance"] {
            assert!(single(&plugin, tool, &outcome).retry_delay_ms > 0, "{tool}: {outcome:?}");
        }
    }
    for outcome in [Outcome::TimedOut, LOST, http(500, None), status(500)] {
        let payment = single(&plugin, "create_payment", &outcome);
        assert_eq!(told(&payment), (Reason::NotReplaySafe, false), "{outcome:?}");
        assert!(single(&plugin, "get_balance", &outcome).retry_delay_ms > 0, "{outcome:?}");
    }
}

#[test]
fn a_slow_model() {
    let plugin = situation("A slow model");
    let attempt = |number, outcome: &Outcome, left_ms| {
        let took = Duration::from_secs(40);
        let call = invocation("draw_cat", "1");
        let call = Invocation { attempt: number, time_left_ms: Some(left_ms), ..call };
        judge_with(&plugin, call, outcome, Background { took, ..of_upstream("u") })
    };
    attempt(1, &OK, 80_000);
    let (in_time, twice) =
        (attempt(1, &Outcome::TimedOut, 80_000), attempt(2, &Outcome::TimedOut, 80_000));
    assert_eq!(told(&in_time), (Reason::TimedOut, true));
    assert_eq!(told(&twice), (Reason::RetriesExhausted, false));
    assert_eq!(told(&attempt(1, &Outcome::TimedOut, 30_000)), (Reason::AttemptWouldNotFit, false));
}

#[test]
fn a_flaky_browser_tool() {
    let plugin = situation("A flaky browser tool");
    for (attempt, delays) in (1..).zip([1_000..=2_000, 1_500..=3_000, 2_250..=4_500]) {
        let call = Invocation { attempt, ..invocation("browser_navigate", "1") };
        let delay = judge_with(&plugin, call, &Outcome::TimedOut, of_upstream("u")).retry_delay_ms;
        assert!(delays.contains(&delay), "{delay} before retry {attempt}");
    }
    forget(&plugin, "browser_navigate", "1");
    let click = single(&plugin, "browser_click", &Outcome::TimedOut);
    assert_eq!(told(&click), (Reason::HintsNotSeen, false));
    for tool in ["browser_navigate", "browser_click"] {
        assert!(single(&plugin, tool, &REFUSED).retry_delay_ms > 0, "{tool}");
    }
}

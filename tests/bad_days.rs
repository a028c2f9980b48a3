//! What the policy that ships makes of the scenarios that ship, through the real
//! component, the real loop and the gateway's own budgets. The figures are those
//! of `host-harness simulate --all`.

use std::sync::Arc;

use host_harness::{
    report::comparison_table,
    simulate::{
        Compared, Comparison, PolicyResults, Recovery, Results, Scenario, WindowResults,
        scenario::Policy, shipped, simulate,
    },
};

use crate::storm::COMPONENT;

/// Three retries that heed what the server asks for, without a budget.
const PLAIN: &str =
    "{ name: plain, config: { profile: safe, idempotent: true, budget: { enabled: false } } }";

/// A scenario that ships, under some of its policies.
fn play(name: &str, policies: &[&str]) -> Results {
    let text = shipped::shipped(name).expect("a scenario that ships");
    // The policies are the last thing in a scenario, if they are there at all.
    let text = format!("{text}policies: [{}]\n", policies.join(", "));
    let scenario = Scenario::parse(name, &text).unwrap_or_else(|error| panic!("{error}"));
    let results = simulate(&COMPONENT, &scenario, &Arc::default()).expect("good configurations");
    let policies: Vec<_> = results.policies.iter().map(|policy| policy.name.clone()).collect();
    let compared = Compared::of(name, &scenario, &results);
    let table = comparison_table(&Comparison { policies, scenarios: vec![compared] });
    for policy in Policy::standard() {
        if results.policies.iter().any(|played| played.name == policy.name) {
            let (written, measured) =
                (cell(DOCUMENT, name, &policy.name), cell(&table, name, &policy.name));
            assert!(
                alike(&written, &measured),
                "{name} under {}: the document says {written}, measured is {measured}; \
                 `host-harness simulate --all` prints the table anew",
                policy.name
            );
        }
    }
    results
}

/// The table that the document shows.
const DOCUMENT: &str = include_str!("../host-harness/src/simulate/scenarios/README.md");

/// A cell of a table in Markdown: the column of a scenario, the row of a policy.
fn cell(text: &str, scenario: &str, policy: &str) -> String {
    let mut rows = text.lines().filter(|line| line.starts_with("| "));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let head = rows.by_ref().map(cells).find(|row| row[1] == "policy").expect("a table");
    let column = head.iter().position(|name| name.split(':').next() == Some(scenario));
    let row = rows.map(cells).find(|row| row[1] == policy).expect("a row of the policy");
    row[column.expect("a column of the scenario")].clone()
}

/// Whether two cells say the same, but for what a small change of the policy moves.
fn alike(one: &str, other: &str) -> bool {
    let figures = |cell: &str| -> Vec<f64> {
        cell.split([' ', '×']).filter_map(|word| word.parse().ok()).collect()
    };
    let (one_figures, other_figures) = (figures(one), figures(other));
    let near = |(one, other): (&f64, &f64)| (one - other).abs() <= 0.02 * one.abs().max(1.0);
    one.contains("never") == other.contains("never")
        && one_figures.len() == other_figures.len()
        && one_figures.iter().zip(&other_figures).all(near)
}

fn policy<'a>(results: &'a Results, name: &str) -> &'a PolicyResults {
    results.policies.iter().find(|policy| policy.name == name).expect("a policy of this name")
}

fn window<'a>(results: &'a Results, policy_name: &str, name: &str) -> &'a WindowResults {
    let windows = &policy(results, policy_name).windows;
    windows.iter().find(|window| window.name == name).expect("a window of this name")
}

/// Seconds until all was well again; none if that never came.
fn recovered(results: &Results, name: &str) -> Option<f64> {
    match policy(results, name).recovery.expect("the scenario asks for it") {
        Recovery::Seconds { mean } => Some(mean),
        _ => None,
    }
}

#[test]
fn a_spike_near_capacity_is_for_ever_with_plain_retries_and_passes_with_the_default() {
    let results = play("near-capacity", &["none", "exponential", "compatible", "envoy", "default"]);
    for name in ["exponential", "compatible", "envoy"] {
        assert!(window(&results, name, "before").success > 0.99, "{name}");
        assert!(window(&results, name, "after").success < 0.01, "{name}");
        assert_eq!(recovered(&results, name), None, "{name}");
    }
    let after = window(&results, "default", "after");
    assert!(after.success > 0.999 && after.amplification < 1.005, "{after:?}");
    let (default, none) = (recovered(&results, "default"), recovered(&results, "none"));
    assert!(default.expect("it recovers") <= none.expect("it recovers") + 5.0, "{default:?}");
}

#[test]
fn an_outage_gets_hardly_more_attempts_than_calls_and_ends_at_once() {
    let results = play("outage", &["none", "exponential", "default"]);
    let away = window(&results, "default", "away");
    assert!(away.amplification <= 1.012, "{away:?}");
    assert!(window(&results, "exponential", "away").amplification > 3.9, "what it is bounded from");
    assert!(recovered(&results, "default").expect("it recovers") <= 1.0);
    assert_eq!(window(&results, "default", "after").success, 1.0);
}

#[test]
fn one_tool_of_ten_that_is_down_takes_no_retries_from_the_others() {
    let results = play("one-of-ten", &["grpc", "default"]);
    let of = |name| {
        let window = window(&results, name, "one is down");
        let tools = window.tools.iter();
        (window, tools.clone().find(|tool| tool.name == "healthy").expect("a kind of tools"))
    };
    let (all, healthy) = of("default");
    assert!(healthy.failed_first > 500, "{healthy:?}");
    assert!(healthy.retried >= 0.95 && healthy.saved >= 0.93, "{healthy:?}");
    assert!(all.amplification <= 1.04, "{all:?}");
    // A bucket for all that prices failures: what the two levels are for.
    assert!(of("grpc").1.retried < 0.1);
}

#[test]
fn a_steady_share_of_failures_is_retried_as_far_as_successes_pay_for_it() {
    let results = play("steady", &["default"]);
    for (name, left) in [("5 %", 0.005), ("12 %", 0.05), ("20 %", 0.15)] {
        let default = window(&results, "default", name);
        assert!(1.0 - default.success <= left && default.amplification <= 1.12, "{default:?}");
    }
}

#[test]
fn errors_that_no_retry_cures_take_no_retries_from_those_that_one_does() {
    let results = play("deterministic", &["aws-standard", "default"]);
    for name in ["20 calls/s", "1 call/s", "0.1 calls/s"] {
        let default = window(&results, "default", name);
        assert!(default.failed_first > 120, "{default:?}");
        assert!(default.retried >= 0.95 && default.saved >= 0.95, "{default:?}");
        assert!(default.amplification <= 1.012, "the others are not repeated: {default:?}");
        assert!(window(&results, "aws-standard", name).amplification > 1.15, "as those of others");
    }
}

#[test]
fn a_herd_after_a_common_wait_is_served_as_well_as_with_plain_retries() {
    let results = play("herd", &["none", PLAIN, "default"]);
    let over = |name| window(&results, name, "over the limit");
    let (none, plain, default) = (over("none"), over("plain"), over("default"));
    assert!(default.success >= 0.763 && default.success > none.success + 0.08, "{default:?}");
    assert!(default.success >= plain.success - 0.002, "{default:?} {plain:?}");
    assert!(default.peak <= 79, "{default:?}");
    assert!(recovered(&results, "default").expect("it recovers") <= 5.0);
}

#[test]
fn what_comes_and_goes_or_has_a_limit_is_better_with_the_default_than_without_retries() {
    let flapping = play("flapping", &["none", "default"]);
    let of = |name| window(&flapping, name, "whole time");
    assert!(of("default").success > of("none").success, "{:?}", of("default"));
    assert!(of("default").amplification <= 1.02);

    let limited = play("rate-limit", &["none", "compatible", "default"]);
    let of = |name| window(&limited, name, "over it");
    assert!(of("default").success > of("none").success + 0.02, "{:?}", of("default"));
    assert!(of("default").success > of("compatible").success);
    assert!(of("default").amplification < of("compatible").amplification);
    assert!(policy(&limited, "default").failed.contains_key("budget-exhausted"));
}

#[test]
fn what_hangs_is_retried_and_four_names_for_one_backend_do_not_add_up_to_much() {
    let hangs = play("hangs", &["default"]);
    let whole = window(&hangs, "default", "whole time");
    assert!(whole.success > 0.999 && whole.amplification <= 1.012, "{whole:?}");

    let correlated = play("correlated", &["default"]);
    let away = window(&correlated, "default", "away");
    assert!(away.amplification <= 1.02, "{away:?}");
    assert_eq!(recovered(&correlated, "default"), Some(0.0));
}

#[test]
fn a_stall_and_deployments_are_made_no_worse() {
    let stall = play("stall", &["none", "exponential", "default"]);
    let of = |name| window(&stall, name, "stall and after");
    assert!(of("default").success > of("none").success - 0.03, "{:?}", of("default"));
    assert!(of("default").amplification <= 1.005, "{:?}", of("default"));
    assert_eq!(recovered(&stall, "exponential"), None);
    let (default, none) = (recovered(&stall, "default"), recovered(&stall, "none"));
    assert!(default.expect("it recovers") <= none.expect("it recovers") + 5.0, "{default:?}");

    let deploys = play("deploys", &["default"]);
    assert!(window(&deploys, "default", "whole time").amplification <= 1.005);
}

#[test]
fn the_document_has_a_column_for_each_scenario_that_is_compared() {
    for (name, _) in &shipped::SCENARIOS[..shipped::COMPARED] {
        for policy in Policy::standard() {
            assert!(cell(DOCUMENT, name, &policy.name).contains('×'), "{name}");
        }
        assert!(DOCUMENT.contains(&format!("\n* `{name}`: ")), "a sentence of {name}");
    }
}

#[test]
fn the_policies_of_the_table_are_those_that_can_be_named() {
    let standard = Policy::standard();
    let names: Vec<_> = standard.iter().map(|policy| &*policy.name).collect();
    assert_eq!(
        names,
        [
            "none",
            "fixed",
            "exponential",
            "grpc",
            "aws-standard",
            "finagle",
            "envoy",
            "compatible",
            "default"
        ]
    );
    for name in Policy::NAMES {
        assert_eq!(Policy::named(name).expect("it is one").name, name);
    }
}

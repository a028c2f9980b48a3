//! The simulator: published results come out, nothing but the seed decides,
//! and a scenario that is wrong is told where.

use std::sync::{Arc, LazyLock};

use host_harness::{
    bundled,
    report::simulation_page,
    sandbox::Component,
    simulate::{PolicyResults, Results, Scenario, WindowResults, shipped, simulate},
};
use proptest::prelude::*;

static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
    Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component")
});

fn text(name: &str) -> &'static str {
    shipped::shipped(name).expect("a scenario that ships")
}

fn play(scenario: &Scenario) -> Results {
    simulate(&COMPONENT, scenario, &Arc::default()).expect("good configurations")
}

fn play_text(text: &str) -> Results {
    play(&Scenario::parse("test.yaml", text).expect("a good scenario"))
}

fn policy<'a>(results: &'a Results, name: &str) -> &'a PolicyResults {
    results.policies.iter().find(|policy| policy.name == name).expect("a policy of this name")
}

fn window<'a>(results: &'a Results, policy_name: &str, name: &str) -> &'a WindowResults {
    let windows = &policy(results, policy_name).windows;
    windows.iter().find(|window| window.name == name).expect("a window of this name")
}

/// A few seconds of trouble for every policy that has a name.
const SMALL: &str = "
title: small
duration_s: 20
load: [{ from_s: 0, calls_per_second: 20 }, { from_s: 10, calls_per_second: 40 }]
gateway: { attempt_timeout_ms: 400, deadline_ms: 5000 }
server: { latency_ms: 100, latency_per_concurrent_ms: 20, latency_spread: 0.5, abandoned: goes-on }
failures: [{ from_s: 0, share: 0.1 }, { from_s: 5, share: 0.7, as: connection-lost }, { from_s: 15, share: 0 }]
policies: [none, fixed, exponential, peer, budget, safe]
";

#[test]
fn published_load_amplification_comes_out() {
    // Fewer clients than in the published setting, each as busy as there.
    let text = text("published")
        .replace("gateways: 100", "gateways: 20")
        .replace("calls_per_second: 1000", "calls_per_second: 200");
    let results = play_text(&text);
    let near = |policy: &str, name: &str, expected: f64, off: f64| {
        let told = window(&results, policy, name).amplification;
        assert!((told - expected).abs() <= off, "{policy} at {name}: {told}, not {expected}");
    };
    for (name, plain, bucket) in
        [("5 %", 1.05, 1.05), ("20 %", 1.25, 1.1), ("50 %", 1.86, 1.1), ("100 %", 4.0, 1.03)]
    {
        near("none", name, 1.0, 0.0);
        near("three retries", name, plain, 0.03);
        near("0.1 per success", name, bucket, 0.03);
        // The component's bucket starts with 20 retries where the model's has 10: for
        // 300 calls in 30 s that is a thirtieth more, and time brings some as well.
        let safe = window(&results, "safe", name).amplification;
        assert!(safe <= bucket + 0.07, "{name}: {safe}");
    }
}

#[test]
fn a_spike_near_capacity_is_for_ever_with_plain_retries_and_passes_with_the_safe_profile() {
    let results = play_text(text("near-capacity"));
    for name in ["three retries", "peer", "20 % of calls"] {
        assert!(window(&results, name, "before").success > 0.99, "{name}");
        assert!(window(&results, name, "after").success < 0.01, "{name}");
    }
    for name in ["none", "budget", "safe"] {
        let after = window(&results, name, "after");
        assert!(after.success >= 0.85 && after.amplification <= 1.02, "{name}: {after:?}");
    }
}

#[test]
fn a_steady_share_of_failures_is_retried_as_far_as_successes_pay_for_it() {
    let results = play_text(text("steady"));
    for (name, left) in [("5 %", 0.005), ("12 %", 0.05), ("20 %", 0.15)] {
        let safe = window(&results, "safe", name);
        assert!(1.0 - safe.success <= left && safe.amplification <= 1.12, "{name}: {safe:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let scenario = Scenario::parse("test.yaml", SMALL).expect("a good scenario");
    let page = |scenario: &Scenario| simulation_page(scenario, &play(scenario));
    let first = page(&scenario);
    assert_eq!(first, page(&scenario));
    assert_ne!(first, page(&Scenario { seed: 2, ..scenario }));
}

#[test]
fn a_report_needs_nothing_from_elsewhere() {
    let scenario = Scenario::parse("test.yaml", SMALL).expect("a good scenario");
    let page = simulation_page(&scenario, &play(&scenario));
    for elsewhere in ["http:", "https:", "src=", "href=", "url(", "@import", "<script"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
}

#[test]
fn every_scenario_that_ships_is_good_and_so_are_the_policies_in_it() {
    for (name, text) in shipped::SCENARIOS {
        let mut scenario = Scenario::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
        // A glance at each is enough here.
        scenario.windows.clear();
        scenario.load[0].calls_per_second.0 = 1.0;
        scenario.load.truncate(1);
        let results = play(&scenario);
        assert_eq!(results.policies.len(), scenario.policies.len(), "{name}");
    }
}

#[test]
fn the_documented_scenario_can_be_played() {
    let document = include_str!("../host-harness/src/simulate/scenarios/README.md");
    let fenced = document.split("```").find_map(|part| part.strip_prefix("yaml\n"));
    let results = play_text(fenced.expect("an example"));
    assert_eq!(results.policies.len(), 9);
    for policy in &results.policies {
        assert!(policy.windows[0].calls > 1_000, "{}", policy.name);
    }
}

#[test]
fn a_rate_limit_that_says_when_to_come_back_is_heeded_by_the_safe_profile() {
    let results = play_text(text("rate-limit"));
    let over = |policy| window(&results, policy, "over it");
    assert!(over("peer").success > over("none").success);
    assert!(over("safe").amplification < over("peer").amplification);
    assert!(policy(&results, "safe").failed.contains_key("budget-exhausted"));
}

/// What the complaint about a scenario says after the file's name.
fn complaint(text: &str) -> String {
    let error = Scenario::parse("s.yaml", text).expect_err("a wrong scenario").to_string();
    assert!(!error.contains('\n'), "one line: {error}");
    error.strip_prefix("s.yaml").expect("it names the file").to_owned()
}

#[test]
fn a_wrong_scenario_is_told_with_line_and_key() {
    let wrong = |from: &str, to: &str| {
        assert!(SMALL.contains(from), "{from}");
        complaint(&SMALL.replace(from, to))
    };
    let told = wrong("latency_spread: 0.5", "latency_spread: 1.5");
    assert!(told.starts_with(":6:"), "{told}");
    assert!(
        told.contains("server.latency_spread: must be a number from 0 to 1, not 1.5"),
        "{told}"
    );

    let told = wrong("duration_s: 20", "duration_s: 0");
    assert!(told.starts_with(":3:"), "{told}");
    assert!(told.contains("duration_s: must be an integer from 1 to 86400, not 0"), "{told}");

    let told = wrong("latency_ms: 100,", "latency: 100,");
    assert!(told.starts_with(":6:") && told.contains("server.latency"), "{told}");
    assert!(told.contains("latency_ms"), "it says what would be right: {told}");

    let told = wrong("peer,", "pear,");
    assert!(told.starts_with(":8:") && told.contains("policies[3]"), "{told}");
    assert!(told.contains("pear") && told.contains("peer"), "{told}");

    let told = wrong("from_s: 10, calls", "from_s: 0, calls");
    assert_eq!(told, ":4: load: `from_s: 0` must be later than the entry before it");

    let told = wrong("fixed", "none");
    assert_eq!(told, ":8: policies: there are two of the name `none`");

    let told = wrong("calls_per_second: 40", "calls_per_second: 900000");
    assert_eq!(told, ":4: load: about 9000200 calls would arrive; the most is 5000000");

    let hangs = SMALL.replace("connection-lost", "hang");
    let told = complaint(&hangs.replace("attempt_timeout_ms: 400, deadline_ms: 5000", ""));
    assert!(told.starts_with(":7: failures: `as: hang` needs"), "{told}");

    let told = complaint("title: [");
    assert!(told.starts_with(':'), "{told}");
}

#[test]
fn a_configuration_that_the_component_refuses_is_told_with_the_policy() {
    let text = SMALL.replace("peer,", "{ name: mine, config: { max_retries: 11 } },");
    let scenario = Scenario::parse("s.yaml", &text).expect("a good scenario");
    let error = simulate(&COMPONENT, &scenario, &Arc::default()).expect_err("refused").to_string();
    let expected = "policy `mine`: max_retries: must be an integer from 0 to 10, not 11";
    assert_eq!(error, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn attempts_are_calls_plus_retries_and_never_exceed_the_ceiling(
        seed: u64, share in 0.0..1.0_f64, ceiling in 0_u64..4,
    ) {
        let mut scenario = Scenario::parse("test.yaml", SMALL).expect("a good scenario");
        scenario.seed = seed;
        scenario.failures[1].share.0 = share;
        let limits = format!("gateway: {{ max_tool_retries: {ceiling}, attempt_timeout_ms: 400 }}");
        let limited = SMALL.replace("gateway: { attempt_timeout_ms: 400, deadline_ms: 5000 }", &limits);
        scenario.gateway = Scenario::parse("test.yaml", &limited).expect("a good scenario").gateway;
        for policy in play(&scenario).policies {
            let whole = &policy.windows[0];
            let failed: u64 = policy.failed.values().sum();
            let attempts = (whole.amplification * whole.calls as f64).round() as u64;
            prop_assert_eq!(attempts, whole.calls + policy.all_retries());
            prop_assert!(attempts <= whole.calls * (1 + ceiling));
            let succeeded = (whole.success * whole.calls as f64).round() as u64;
            prop_assert_eq!(succeeded + failed, whole.calls);
        }
    }
}

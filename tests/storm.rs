//! The simulator: published results come out, nothing but the seed decides,
//! and a scenario that is wrong is told where.

use std::sync::{Arc, LazyLock};

use host_harness::{
    bundled,
    report::{comparison_table, simulation_page},
    sandbox::Component,
    simulate::{
        Compared, Comparison, PolicyResults, Recovery, Results, Scenario, WindowResults, sentence,
        shipped, simulate,
    },
};
use proptest::prelude::*;

pub static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
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
policies: [none, fixed, exponential, compatible, budget, safe]
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
        scenario.column.windows.clear();
        scenario.seeds.0 = 1;
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
    assert_eq!(results.policies.len(), 14);
    for policy in &results.policies {
        assert!(policy.windows[0].calls > 1_000, "{}", policy.name);
    }
}

/// Every kind of thing that a scenario can say of tools and calls.
const KINDS: &str = "
title: kinds
seeds: 2
duration_s: 60
load: [{ from_s: 0, calls_per_second: 40 }]
tools:
  - { name: rare, upstream: a, call_faults: [{ share: 0.2, as: tool-error }] }
  - { name: usual, count: 2, weight: 4, upstream: b }
  - { name: down, upstream: b, failures: [{ from_s: 0, share: 0 }, { from_s: 30, share: 1 }] }
server: { latency_ms: 50, workers: 20, stalls: [{ from_s: 10, to_s: 12 }] }
call_faults: [{ share: 0.1, attempts: 1 }]
windows: [{ name: early, from_s: 0, to_s: 7 }, { name: late, from_s: 37, to_s: 60, trouble: true }]
column: { tool: usual, measure: saved, over_at_s: 12 }
policies: [none, default]
";

#[test]
fn tools_have_shares_and_faults_of_their_own_and_windows_are_exact() {
    let results = play_text(KINDS);
    let late = window(&results, "default", "late");
    let [rare, usual, down] = [0, 1, 2].map(|kind| &late.tools[kind]);
    assert_eq!(rare.calls + usual.calls + down.calls, late.calls);
    let share = |tool: &WindowResults| tool.calls as f64 / late.calls as f64;
    assert!((share(usual) - 0.8).abs() < 0.04 && (share(rare) - 0.1).abs() < 0.03, "{late:?}");
    assert!((late.calls as f64 / (2.0 * 23.0 * 40.0) - 1.0).abs() < 0.1, "23 s of two runs");

    // What can never succeed is neither retried nor counted as if it could be.
    assert!((rare.success - 0.8).abs() < 0.1 && rare.failed_first == 0, "{rare:?}");
    assert!((usual.failed_first as f64 / usual.calls as f64 - 0.1).abs() < 0.03, "{usual:?}");
    assert!(usual.retried > 0.9 && usual.saved == usual.retried, "{usual:?}");
    assert_eq!(down.success, 0.0);
    let without = &window(&results, "none", "late").tools[1];
    assert_eq!((without.retried, without.saved), (0.0, 0.0));
    // The same calls arrive under every policy.
    assert_eq!(without.calls, usual.calls);
}

#[test]
fn workers_take_turns_and_stand_still_in_a_stall() {
    let busy = |abandoned: &str| {
        play_text(&format!(
            "
title: two workers
duration_s: 30
arrivals: constant
load: [{{ from_s: 0, calls_per_second: 15 }}]
gateway: {{ attempt_timeout_ms: 500 }}
server:
  latency_ms: 100
  workers: 2
  abandoned: {abandoned}
  stalls: [{{ from_s: 10, to_s: 12 }}]
windows: [{{ name: before, from_s: 0, to_s: 9 }}, {{ name: after, from_s: 12, to_s: 14 }}]
column: {{ over_at_s: 12 }}
policies: [none]
"
        ))
    };
    let (kept, dropped) = (busy("goes-on"), busy("stops"));
    assert_eq!(window(&kept, "none", "before").success, 1.0);
    // Thirty attempts wait by then, three seconds' work for what is to spare.
    assert!(window(&kept, "none", "after").success < 0.1, "{kept:?}");
    assert!(window(&dropped, "none", "after").success > 0.9, "{dropped:?}");
    let recovery = |results: &Results| results.policies[0].recovery;
    assert_eq!(recovery(&dropped), Some(Recovery::Seconds { mean: 0.0 }));
    let Some(Recovery::Seconds { mean }) = recovery(&kept) else { panic!("{kept:?}") };
    assert!((2.0..=7.0).contains(&mean), "{mean}");
}

#[test]
fn an_api_window_lets_so_many_in_and_says_when_the_next_one_begins() {
    let results = play_text(
        "
title: five in ten seconds
duration_s: 30
arrivals: constant
load: [{ from_s: 0, calls_per_second: 1 }]
server: { latency_ms: 10, max_in_flight: 3 }
api_window: { seconds: 10, attempts: 5 }
policies: [none, default]
",
    );
    assert_eq!(window(&results, "none", "whole time").success, 15.0 / 29.0);
    // Those that came back at the start of a window take the places of others.
    let default = policy(&results, "default");
    assert!(default.all_retries() > 5, "{default:?}");
    let waited = default.windows[0].p99_ms;
    assert!((1_000.0..40_000.0).contains(&waited), "{waited}");
}

#[test]
fn the_sentence_says_what_was_measured() {
    let results = play_text(KINDS);
    let scenario = Scenario::parse("test.yaml", KINDS).expect("a good scenario");
    let text = sentence(&scenario, &results).expect("it has policies");
    let late = window(&results, "default", "late");
    let usual = &late.tools[1];
    let saved = format!(
        "The default saved {:.1} % of the calls to `usual` that failed at first, at {:.2} times the load; {:.1} % \
         succeeded in the end, and ",
        100.0 * usual.saved,
        late.amplification,
        100.0 * usual.success
    );
    assert!(text.starts_with(&saved), "{text}");
    assert!(text.ends_with(" s after the trouble."), "{text}");
    assert!(simulation_page(&scenario, &results).contains(&text), "on the page");

    // Under other policies it speaks of the last one.
    let other = KINDS.replace("[none, default]", "[none, fixed]");
    let scenario = Scenario::parse("test.yaml", &other).expect("a good scenario");
    let text = sentence(&scenario, &play(&scenario)).expect("it has policies");
    assert!(text.starts_with("`fixed` saved 100.0 % of"), "{text}");
}

#[test]
fn one_table_has_a_row_for_each_policy_and_a_column_for_each_scenario() {
    let mut scenario = Scenario::parse("test.yaml", KINDS).expect("a good scenario");
    let kinds = Compared::of("kinds", &scenario, &play(&scenario));
    scenario.column.measure = host_harness::simulate::Measure::Success;
    scenario.column.over_at_s = None;
    scenario.column.windows = vec!["early".to_owned(), "late".to_owned()];
    let again = Compared::of("again", &scenario, &play(&scenario));
    let policies = vec!["none".to_owned(), "default".to_owned()];
    let table = comparison_table(&Comparison { policies, scenarios: vec![kinds, again] });
    let lines: Vec<_> = table.lines().collect();
    let cells = |line: &str| line.split('|').map(|it| it.trim().to_owned()).collect::<Vec<_>>();
    assert_eq!(cells(lines[0]), ["", "policy", "kinds: saved", "again", ""]);
    let none = cells(lines[2]);
    assert!(none[1] == "none" && none[2].starts_with("0.0 % · 1.000× · "), "{none:?}");
    assert!(none[3].ends_with(" % · 1.000 / 1.000×"), "{none:?}");
    assert_eq!(cells(lines[3])[1], "default");
    assert!(table.contains("\n* `kinds`: The default saved "), "{table}");
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

    let told = wrong("compatible,", "compatibel,");
    assert!(told.starts_with(":8:") && told.contains("policies[3]"), "{told}");
    assert!(told.contains("\"compatibel\"") && told.contains("compatible"), "{told}");

    let told = wrong("from_s: 10, calls", "from_s: 0, calls");
    assert_eq!(told, ":4: load: `from_s: 0` must be later than the entry before it");

    let told = wrong("fixed", "none");
    assert_eq!(told, ":8: policies: there are two of the name `none`");

    let told = wrong("calls_per_second: 40", "calls_per_second: 900000");
    assert_eq!(told, ":4: load: about 9000200 calls would arrive; the most is 5000000");

    let hangs = SMALL.replace("connection-lost", "hang");
    let told = complaint(&hangs.replace("attempt_timeout_ms: 400, deadline_ms: 5000", ""));
    assert!(told.starts_with(":7: failures: `as: hang` needs"), "{told}");

    let kinds = |from: &str, to: &str| {
        assert!(KINDS.contains(from), "{from}");
        complaint(&KINDS.replace(from, to))
    };
    assert_eq!(kinds("name: rare", "name: down"), ":6: tools: there are two of the name `down`");
    let told = kinds("over_at_s: 12", "windows: [later]");
    assert_eq!(told, ":13: column: there is no window of the name `later`");
    let told = kinds("tool: usual, measure", "tool: unusual, measure");
    assert_eq!(told, ":13: column: there is no tool of the name `unusual`");
    let told = kinds("over_at_s: 12", "over_at_s: 60");
    assert_eq!(told, ":13: column: `over_at_s` must be before 60 s");
    let told = kinds("[{ share: 0.1, attempts: 1 }]", "[{ share: 0.6 }, { share: 0.5 }]");
    assert!(told.contains("call_faults: the shares are 1.1 together, above 1"), "{told}");
    let told = kinds("to_s: 12", "to_s: 10");
    assert_eq!(told, ": stalls: each must begin before it ends");

    let told = complaint("title: [");
    assert!(told.starts_with(':'), "{told}");
}

#[test]
fn a_configuration_that_the_component_refuses_is_told_with_the_policy() {
    let text = SMALL.replace("compatible,", "{ name: mine, config: { max_retries: 11 } },");
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

//! Plugins that do not bear to be looked at: what operators see of them, and
//! what their calls notice of that.

use std::{collections::BTreeSet, num::NonZeroUsize, sync::Arc};

use host_harness::{
    metrics::Metrics,
    sandbox::{Breakage, HookFailure, Options, Plugin, Replacement},
};

use super::{
    attack::{BAD, judge, options},
    guest::Guest,
};

fn one_shard() -> Options {
    Options { shards: NonZeroUsize::MIN, ..options() }
}

fn watched(guest: &Guest, options: Options) -> (Arc<Metrics>, Arc<Plugin>) {
    let plugin = Arc::new(Plugin::start(&guest.component(), options).expect("it starts"));
    let metrics = Metrics::new();
    metrics.watch("it", plugin.clone());
    (metrics, plugin)
}

fn lines(metrics: &Metrics, of: &str) -> Vec<String> {
    let text = metrics.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    text.lines().filter(|line| line.starts_with(of)).map(str::to_owned).collect()
}

#[test]
fn one_that_breaks_over_the_question_is_asked_once_and_that_is_no_strike() {
    let options = Options {
        replacement: Replacement { strikes: 1, ..Replacement::default() },
        ..one_shard()
    };
    let (metrics, plugin) = watched(&Guest { stats: "unreachable", ..Guest::polite() }, options);
    let faults = [r#"mcp_gateway_plugin_faults_total{plugin="it",fault="broke.trapped"} 1"#];
    assert_eq!(lines(&metrics, "mcp_gateway_plugin_faults"), faults);
    for calls in 1..=3 {
        let answer = judge(&plugin, BAD).expect("one strike would have set it aside");
        assert_eq!(answer.failures, calls, "the instance is still the same");
        assert_eq!(lines(&metrics, "mcp_gateway_plugin_faults"), faults);
        assert!(lines(&metrics, "mcp_gateway_plugin_stat").is_empty());
    }
}

#[test]
fn one_without_an_instance_gets_none_by_being_looked_at() {
    let options = Options {
        replacement: Replacement { strikes: 1, ..Replacement::default() },
        ..one_shard()
    };
    let (metrics, plugin) = watched(&Guest::bad_at("unreachable"), options);
    judge(&plugin, BAD).expect_err("it traps");
    assert_eq!(
        lines(&metrics, "mcp_gateway_plugin_faults"),
        [
            r#"mcp_gateway_plugin_faults_total{plugin="it",fault="broke.trapped"} 1"#,
            r#"mcp_gateway_plugin_faults_total{plugin="it",fault="set_aside"} 1"#,
        ]
    );
    let answer = judge(&plugin, "another").expect_err("it is set aside");
    assert!(matches!(answer, HookFailure::Broke(Breakage::SetAside { .. })), "{answer:?}");
    let skipped = r#"mcp_gateway_plugin_faults_total{plugin="it",fault="skipped.set_aside"} 1"#;
    assert!(lines(&metrics, "mcp_gateway_plugin_faults").contains(&skipped.to_owned()));
}

#[test]
fn ever_new_names_of_numbers_make_no_more_than_the_contract_allows_one_answer() {
    // One metric, of the two letters at 600, which are others each time.
    let letter = |at: u32, digit: &str| {
        format!(
            "(i32.store8 (i32.const {at})
                (i32.add (i32.const 97) ({digit} (global.get $looks) (i32.const 26))))"
        )
    };
    let stats = format!(
        "(global.set $looks (i32.add (global.get $looks) (i32.const 1))) {} {} (i32.const 4096)",
        letter(600, "i32.rem_u"),
        letter(601, "i32.div_u")
    );
    let metric = r"\58\02\00\00\02\00\00\00\05\00\00\00\00\00\00\00";
    let guest = Guest {
        stats: stats.leak(),
        rest: format!(
            r#"(global $looks (mut i32) (i32.const 0))
               (data (i32.const 4096) "\08\10\00\00\01\00\00\00{metric}")"#
        ),
        ..Guest::polite()
    };
    let (metrics, plugin) = watched(&guest, one_shard());
    let mut told = BTreeSet::new();
    for _ in 0..200 {
        told.extend(lines(&metrics, "mcp_gateway_plugin_stat"));
    }
    assert_eq!(told.len(), 64);
    assert!(told.contains(r#"mcp_gateway_plugin_stat{plugin="it",stat="ba"} 5"#), "{told:?}");
    assert!(plugin.faults().is_empty(), "{:?}", plugin.faults());
}

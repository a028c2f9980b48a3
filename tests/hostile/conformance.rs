//! `conformance` finds what a guest does wrong, and nothing at a good one.

use std::time::Duration;

use host_harness::{
    bundled,
    sandbox::{
        Component, Options,
        conformance::{self, Check},
    },
};

use super::guest::{Guest, POLITE_ANSWER, Verdict};

fn options() -> Options {
    let mut options = Options::default();
    // A test machine that is busy elsewhere is not what is tested here.
    options.limits.call_time = Duration::from_secs(60);
    options
}

/// The checks that fail, each with what it found.
fn failed(component: &Component, options: &Options) -> Vec<(&'static str, String)> {
    let checks = conformance::run(component, options);
    let failed = |Check { name, outcome }: Check| outcome.err().map(|problem| (name, problem));
    checks.into_iter().filter_map(failed).collect()
}

#[test]
fn the_bundled_component_keeps_the_contract_under_any_configuration() {
    let component = Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("it loads");
    for config in [
        "null",
        r#"{"profile": "safe"}"#,
        r#"{"max_retries": 10, "check_text_content": true, "jitter": false}"#,
    ] {
        let options = Options { config: config.to_owned(), ..options() };
        assert_eq!(failed(&component, &options), [], "{config}");
    }
}

#[test]
fn a_configuration_that_is_refused_is_told() {
    let component = Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("it loads");
    let options = Options { config: r#"{"max_retries": -1}"#.to_owned(), ..options() };
    let failed = failed(&component, &options);
    let accepts = failed.iter().find(|(name, _)| *name == "accepts the configuration");
    assert!(accepts.expect("it is refused").1.contains("max_retries"), "{failed:?}");
}

/// What the check of this name finds at a guest.
fn found(guest: &Guest, name: &str) -> String {
    let failed = failed(&guest.component(), &options());
    let found = failed.iter().find(|(failed, _)| *failed == name);
    found.unwrap_or_else(|| panic!("not found among {failed:?}")).1.clone()
}

#[test]
fn every_fault_is_found_by_the_check_that_is_for_it() {
    // Lies to every target, not only to `bad`.
    let liar =
        |verdict: Verdict| Guest { handle: "(i32.const 4096)".to_owned(), ..verdict.guest() };
    let endless =
        found(&liar(Verdict::retry(5)), "never asks for more retries than the gateway allows");
    assert!(endless.contains("are the most"), "{endless}");
    let late =
        found(&liar(Verdict::retry(u64::MAX)), "answers every kind of outcome within the contract");
    assert!(late.contains("it asks to wait"), "{late}");
    let eager = found(&Guest::polite(), "judges nothing before it is configured");
    assert!(eager.contains("it gives a verdict"), "{eager}");
    let undead = found(&Guest::polite(), "judges nothing after it was shut down");
    assert!(undead.contains("verdict") || undead.contains("broke"), "{undead}");
    let nameless = Guest { describe: "(i32.const 1024)", ..Guest::polite() };
    assert!(found(&nameless, "describes itself, before it is configured").contains("name"));
    let formless = Guest { schema: "(i32.const 1024)", ..Guest::polite() };
    assert!(found(&formless, "has a JSON object as its configuration schema").contains("JSON"));
    let fragile = Guest {
        configure: "(if (i32.ne (local.get $config_len) (i32.const 4)) (then unreachable))
            (i32.const 1024)"
            .to_owned(),
        ..Guest::polite()
    };
    assert!(found(&fragile, "survives configurations that make no sense").contains("broke"));
    let greedy = Guest { memory: r#"(memory (export "memory") 2000)"#, ..Guest::polite() };
    assert!(found(&greedy, "needs no more to start than the limits allow").contains("memory"));
    let many = Guest {
        retries: "(i32.const 4096)",
        rest: r#"(data (i32.const 4096) "\00\00\00\00\07")"#.to_owned(),
        ..Guest::polite()
    };
    assert!(
        found(&many, "announces no more retries than the gateway allows").contains("7 retries")
    );
    let wordy = Guest {
        stats: "(i32.const 4096)",
        rest: r#"(data (i32.const 4096) "\08\10\00\00\00\01\00\00")"#.to_owned(),
        ..Guest::polite()
    };
    assert!(
        found(&wordy, "has at most 64 metrics, whatever the targets are called").contains("256")
    );
}

#[test]
fn a_guest_that_leaks_is_found() {
    // 4 KiB a call: after 16,384 calls its 64 MiB are full.
    let handle = format!(
        "(global.set $leaked (i32.add (global.get $leaked) (i32.const 4096)))
        (if (i32.gt_u (global.get $leaked) (i32.mul (memory.size) (i32.const 65536))) (then
            (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))))
        {POLITE_ANSWER}"
    );
    let rest = "(global $leaked (mut i32) (i32.const 8192))".to_owned();
    let leaking = Guest { handle, rest, ..Guest::polite() };
    let found = found(&leaking, "stays within its memory when calls are abandoned");
    assert!(found.contains("unreachable"), "{found}");
}

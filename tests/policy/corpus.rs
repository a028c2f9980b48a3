//! What servers really answer, as `host-harness judge` puts it before the component.
//!
//! | file | answers | written |
//! |---|---|---|
//! | `real_servers.jsonl`, `hard_cases.jsonl` | 205 of 74 servers | before any rule, by others |
//! | `more_cases.jsonl` | 644 | by the authors of the rules: 486 before any rule, the last 158 afterwards |
//! | `unseen_cases.jsonl` | 260 of 65 servers | by somebody who had not seen the rules, for servers that are in no other file |
//! | `fresh_cases.jsonl` | 616 of 175 servers | by two others who had not seen the rules, from the sources of servers and their SDKs, after all other files |
//! | `family_cases.jsonl` | 872, one line each | by the authors of the rules, family by family, in four batches (`server` names the batch) |
//!
//! The rules are made by hand, so leaving servers out and fitting again is not to
//! be had. What tells how they fare on servers that nobody has seen is the first
//! sight of each batch, before any rule was changed for it: retried of all, by
//! class, and waits that were read right.
//!
//! | batch | transient | throttled | permanent | succeeded | waits |
//! |---|---|---|---|---|---|
//! | `more_cases.jsonl`, last 158 | 30 of 44 | 20 of 23 | 4 of 67 | 4 of 24 | 2 invented |
//! | families 1 | 103 of 121 | 20 of 23 | 4 of 79 | | |
//! | families 2 (other languages, devices) | 72 of 121 | 18 of 20 | 1 of 60 | | 7 of 9 |
//! | `unseen_cases.jsonl`, rules from before families 1 | 71 of 80 | 50 of 54 | 5 of 78 | 1 of 38 | 36 of 43 |
//! | `unseen_cases.jsonl`, rules from after families 2 | 74 of 80 | 51 of 54 | 5 of 78 | 1 of 38 | 36 of 43 |
//! | its last fifth of servers, after the first four were read | 17 of 17 | 10 of 12 | 1 of 16 | 0 of 7 | 7 of 10 |
//! | families 3 (unusual wording on purpose) | 92 of 131 | 28 of 40 | 4 of 104 | 2 of 42 | 20 of 25 |
//! | families 4 (traps for families 1 to 3) | 24 of 27 | 24 of 26 | 6 of 64 | 1 of 18 | 9 of 12 |
//! | `fresh_cases.jsonl`, databases, clouds, payments | 70 of 80 | 42 of 43 | 3 of 85 | 0 of 32 | 8 of 8 |
//! | `fresh_cases.jsonl`, web, models, chat, edges | 103 of 110 | 62 of 67 | 8 of 122 | 0 of 55 | 13 of 14, 1 invented |
//!
//! So of what nobody has seen about 92 % is retried that passes, 5 % that stays,
//! and no success; nearly all waits are read.
//!
//! Waits beyond `pushback.max_ms` are counted as retried there; the tests below
//! do not count them so, for they ask the whole plugin.

use host_harness::judge::{self, Judged, Recorded, Table};

use crate::plugin_under_test::start;

const FILES: [(&str, &str); 6] = [
    ("real_servers.jsonl", include_str!("corpus/real_servers.jsonl")),
    ("hard_cases.jsonl", include_str!("corpus/hard_cases.jsonl")),
    ("more_cases.jsonl", include_str!("corpus/more_cases.jsonl")),
    ("unseen_cases.jsonl", include_str!("corpus/unseen_cases.jsonl")),
    ("fresh_cases.jsonl", include_str!("corpus/fresh_cases.jsonl")),
    ("family_cases.jsonl", include_str!("corpus/family_cases.jsonl")),
];

fn judged(config: &str, (name, text): (&str, &str), all_safe: bool) -> Vec<Judged> {
    let lines = judge::parse(name, text).expect("recorded answers");
    judge::judge(&start(config), name, lines, all_safe).expect("verdicts")
}

const SAFE: &str = r#"{"profile": "safe", "trusted_upstreams": ["recorded"]}"#;

fn named(judged: &[Judged]) -> Vec<String> {
    let differing = judged.iter().filter(|one| one.differs() && one.line.open.is_none());
    differing
        .map(|one| format!("{}, {}: {:?}", one.line.server, one.line.case, one.verdict))
        .collect()
}

/// Rates that hold for this file and every other; printed with `--nocapture`.
fn hold(name: &str, judged: &[Judged]) {
    let table = Table::of(judged);
    let [transient, throttled, permanent, succeeded] =
        Recorded::ALL.map(|class| table.class(class));
    let waits = table.waits;
    println!("{name}: {transient:?} {throttled:?} {permanent:?} {succeeded:?} {waits:?}");
    let differing = named(judged);
    // Right decisions, for so long is nobody made to wait by default.
    let too_long = |one: &&Judged| {
        let named = one.line.pushback_ms.is_some_and(|time| time > 60_000);
        one.line.open.is_none() && named && !one.retried()
    };
    let too_long = judged.iter().filter(too_long).count();
    let (retried, total) =
        (transient.retried + throttled.retried, transient.total + throttled.total);
    assert!(
        (retried + too_long) * 100 >= total * 95,
        "{name}: {retried} of {total}: {differing:#?}"
    );
    assert!(
        permanent.retried * 100 <= permanent.total * 2,
        "{name}: {permanent:?}: {differing:#?}"
    );
    // One file holds a value that reads like an error, and no more than that.
    assert!(
        succeeded.retried * 25 <= succeeded.total.max(25),
        "{name}: {succeeded:?}: {differing:#?}"
    );
    assert!(waits.right * 100 >= waits.named * 90, "{name}: {waits:?}: {differing:#?}");
    // Only of an answer that is taken for a failure.
    assert!(waits.invented <= succeeded.retried, "{name}: {waits:?}: {differing:#?}");
}

#[test]
fn failures_that_pass_are_retried_and_others_are_not() {
    let mut all = Vec::new();
    for file in FILES {
        let judged = judged(SAFE, file, true);
        hold(file.0, &judged);
        all.extend(judged);
    }
    hold("all", &all);
    let waits = Table::of(&all).waits;
    assert!(waits.right * 100 >= waits.named * 95, "{waits:?}");
    let total = Table::of(&all).class(Recorded::Succeeded);
    assert!(total.retried * 100 <= total.total * 2, "{total:?}");
}

/// How many fifths the servers are dealt into, by their names.
const FIFTHS: usize = 5;

#[test]
fn no_fifth_of_the_servers_fares_much_worse_than_the_others() {
    let mut fifths: [Vec<Judged>; FIFTHS] = Default::default();
    for one in FILES.into_iter().take(5).flat_map(|file| judged(SAFE, file, true)) {
        let sum: usize = one.line.server.bytes().map(usize::from).sum();
        fifths[sum % FIFTHS].push(one);
    }
    for (fifth, judged) in fifths.iter().enumerate() {
        hold(&format!("fifth {fifth} of the servers"), judged);
    }
}

#[test]
fn with_the_hints_as_they_are_nothing_is_retried_that_no_hint_allows() {
    for one in FILES.into_iter().flat_map(|file| judged(SAFE, file, false)) {
        let hints = one.line.hints();
        let safe = hints.read_only == Some(true) || hints.idempotent == Some(true);
        assert!(!one.retried() || safe || one.verdict.not_executed, "{one:?}");
    }
}

#[test]
fn under_the_compatible_profile_words_decide_nothing() {
    for one in FILES.into_iter().flat_map(|file| judged("null", file, true)) {
        assert_eq!(one.wait_ms(), None, "{one:?}");
        if let judge::RecordedAnswer::Result { result } = &one.line.answer {
            let marked = result["isError"] == true;
            let status = result["structuredContent"]["status_code"].is_number();
            assert!(status || one.retried() == marked, "{one:?}");
        }
    }
}

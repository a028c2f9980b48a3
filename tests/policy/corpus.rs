//! What servers really answer, as `host-harness judge` puts it before the component.
//!
//! `real_servers.jsonl` and `hard_cases.jsonl` hold 205 answers of 74 servers.
//! `more_cases.jsonl` holds 644 of our own: the first 486 lines were written
//! before any rule, the last 158 afterwards, to see how the rules fare on lines
//! that they were not made for; what they got wrong then is part of them now.

use host_harness::judge::{self, Judged, Recorded, Table};

use crate::plugin_under_test::start;

const FILES: [(&str, &str); 3] = [
    ("real_servers.jsonl", include_str!("corpus/real_servers.jsonl")),
    ("hard_cases.jsonl", include_str!("corpus/hard_cases.jsonl")),
    ("more_cases.jsonl", include_str!("corpus/more_cases.jsonl")),
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

#[test]
fn failures_that_pass_are_retried_and_others_are_not() {
    let all: Vec<_> = FILES.into_iter().flat_map(|file| judged(SAFE, file, true)).collect();
    for files in [&all[..205], &all[..]] {
        let table = Table::of(files);
        let shares = Recorded::ALL.map(|class| table.class(class));
        let [transient, throttled, permanent, succeeded] = shares;
        let (retried, total) =
            (transient.retried + throttled.retried, transient.total + throttled.total);
        let told = named(files);
        // Some ask for more than `pushback.max_ms`: that is no wrong decision.
        assert!(retried * 100 >= total * 95, "{retried} of {total}: {told:#?}");
        assert!(permanent.retried * 100 <= permanent.total * 2, "{permanent:?}: {told:#?}");
        assert!(succeeded.retried * 25 <= succeeded.total.max(25), "{succeeded:?}: {told:#?}");
        let waits = table.waits;
        assert!(waits.right * 100 >= waits.named * 95, "{waits:?}: {told:#?}");
        assert!(waits.invented <= succeeded.retried, "{waits:?}: {told:#?}");
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

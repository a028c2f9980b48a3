//! Guests whose answers can be read and must not be acted on.

use std::sync::Arc;

use host_harness::{
    contract::{Invocation, Known, Outcome, Returned, Unfinished},
    gateway::{Background, CallContext, Hook, Limits, RetryHook},
    sandbox::{HookFailure, Options, Plugin, StartError, Violation},
};

use super::{
    attack::{BAD, attack, attack_by, options, run, start},
    guest::{Guest, SUCCEEDED, TOOL_ERROR, Verdict},
};

fn rejected(failure: HookFailure) -> Violation {
    match failure {
        HookFailure::Rejected(violation) => violation,
        other => panic!("it should have been rejected, not {other:?}"),
    }
}

fn lie(verdict: &Verdict) -> Violation {
    rejected(attack(&verdict.guest()))
}

/// What the host says to a retry after 5 ms of this outcome, after this attempt.
fn retry_of(outcome: Outcome, attempt: u32) -> Violation {
    rejected(attack_by(&Verdict::retry(5).guest(), |plugin| {
        let invocation = Invocation {
            target: BAD,
            request_id: "1",
            attempt,
            now_ms: 0,
            time_left_ms: None,
            known: Known::empty(),
        };
        let answer = plugin.judge(Hook::ToolPostInvoke, invocation, &outcome, Background::none());
        answer.expect_err("a lie")
    }))
}

const HOUR: u64 = 3_600_000;

#[test]
fn a_class_against_its_reason_is_refused() {
    // By their places in the contract: reasons, and the classes that go with each.
    const SUCCESS: &[u8] = &[0];
    const FAILED: &[u8] = &[1, 2, 4];
    const THROTTLED: &[u8] = &[2];
    const PERMANENT: &[u8] = &[3];
    const UNKNOWN: &[u8] = &[4];
    let stop = Verdict { delay_ms: 0, ceiling_ms: 0, ..Verdict::retry(0) };
    for (reason, classes) in [
        (8, THROTTLED),
        (SUCCEEDED, SUCCESS),
        (10, PERMANENT),
        (11, PERMANENT),
        (12, FAILED),
        (16, PERMANENT),
        (17, UNKNOWN),
        (18, FAILED),
        (26, FAILED),
        (30, PERMANENT),
    ] {
        let shape = if reason == 8 { Verdict::retry(5) } else { Verdict { reason, ..stop } };
        for class in 0..=4 {
            let verdict = Verdict { reason, class, ..shape };
            let invocation = Invocation {
                target: BAD,
                request_id: "1",
                attempt: 1,
                now_ms: 0,
                time_left_ms: None,
                known: Known::empty(),
            };
            let plugin = start(&verdict.guest());
            let (hook, background) = (Hook::ToolPostInvoke, Background::none());
            let answer = plugin.judge(hook, invocation, &Outcome::TimedOut, background);
            let right = classes.contains(&class);
            assert_eq!(answer.is_ok(), right, "reason {reason}, class {class}: {answer:?}");
            if let Err(failure) = answer {
                assert!(matches!(rejected(failure), Violation::WrongClass { .. }));
            }
        }
    }
    let unsent = Verdict { reason: SUCCEEDED, class: 0, failures: 0, not_executed: true, ..stop };
    assert!(matches!(lie(&unsent), Violation::WrongClass { .. }));
}

#[test]
fn a_delay_above_the_maximum_is_refused() {
    for delay_ms in [HOUR + 1, u64::MAX] {
        assert_eq!(
            lie(&Verdict::retry(delay_ms)),
            Violation::DelayTooLong { delay_ms, most_ms: HOUR }
        );
    }
}

#[test]
fn a_reason_against_its_delay_is_refused() {
    assert!(matches!(lie(&Verdict::retry(0)), Violation::RetryWithoutDelay(_)));
    let against = Verdict { reason: SUCCEEDED, ..Verdict::retry(5) };
    assert!(matches!(lie(&against), Violation::DelayWithoutRetry { .. }));
}

#[test]
fn a_ceiling_against_its_delay_is_refused() {
    assert_eq!(
        lie(&Verdict { ceiling_ms: 5, ..Verdict::retry(6) }),
        Violation::DelayAboveCeiling { delay_ms: 6, ceiling_ms: 5 }
    );
    let none = Verdict { delay_ms: 0, reason: SUCCEEDED, ..Verdict::retry(5) };
    assert!(matches!(lie(&none), Violation::CeilingWithoutRetry { ceiling_ms: 5, .. }));
}

#[test]
fn metadata_that_nobody_asked_for_are_refused() {
    let talkative = Verdict { metadata: Some((1, 5)), ..Verdict::retry(5) };
    assert_eq!(lie(&talkative), Violation::WrongMetadata);
}

#[test]
fn a_price_goes_with_a_budget_that_was_named_and_with_a_retry() {
    let unknown = Verdict { tool_budget: 1, ..Verdict::retry(5) };
    assert_eq!(lie(&unknown), Violation::UnknownBudget { number: 1, named: 0 });
    let nowhere = Verdict { cost: 7, ..Verdict::retry(5) };
    assert_eq!(lie(&nowhere), Violation::CostWithoutBudget { cost: 7 });
}

#[test]
fn a_retry_of_a_call_that_by_its_own_count_did_not_fail_is_refused() {
    let verdict = Verdict { failures: 0, reason: TOOL_ERROR, ..Verdict::retry(5) };
    assert_eq!(lie(&verdict), Violation::RetryWithoutFailure);
}

#[test]
fn a_retry_of_a_plain_success_is_refused() {
    let success = Outcome::Returned(Returned { is_error: false, structured: None });
    assert_eq!(retry_of(success, 1), Violation::RetryOfSuccess);
}

#[test]
fn a_retry_of_a_call_that_is_over_or_goes_on_elsewhere_is_refused() {
    for outcome in [Outcome::Unfinished(Unfinished::Task), Outcome::Cancelled, Outcome::Refused] {
        assert_eq!(retry_of(outcome, 1), Violation::RetryOfEnded);
    }
}

#[test]
fn a_retry_past_the_ceiling_is_refused() {
    let failed = Outcome::TimedOut;
    assert_eq!(retry_of(failed, 4), Violation::RetryPastCeiling { attempt: 4, most: 3 });
    assert_eq!(
        retry_of(failed, u32::MAX),
        Violation::RetryPastCeiling { attempt: u32::MAX, most: 3 }
    );
}

#[test]
fn a_guest_that_retries_for_ever_gets_what_the_ceiling_allows() {
    let plugin = start(&Verdict::retry(1).guest());
    let (attempts, stop) = run(&plugin, BAD, None);
    assert_eq!(attempts, 1 + Limits::default().max_tool_retries);
    let host_harness::gateway::Stop::PluginFailed(failure) = stop else { panic!("{stop:?}") };
    assert_eq!(rejected(failure), Violation::RetryPastCeiling { attempt: 4, most: 3 });
}

#[test]
fn the_loop_has_a_ceiling_of_its_own_whatever_the_plugin_was_told() {
    let options = Options { max_tool_retries: u32::MAX, ..options() };
    let plugin = Plugin::start(&Verdict::retry(1).guest().component(), options).expect("it starts");
    let (attempts, stop) = run(&Arc::new(plugin), BAD, None);
    assert_eq!(attempts, 1 + Limits::default().max_tool_retries);
    assert!(matches!(stop, host_harness::gateway::Stop::Ceiling(_)), "{stop:?}");
}

#[test]
fn more_retries_announced_than_the_ceiling_allows_are_refused() {
    // ok(7)
    let guest = Guest {
        retries: "(i32.const 4096)",
        rest: r#"(data (i32.const 4096) "\00\00\00\00\07")"#.to_owned(),
        ..Guest::polite()
    };
    let violation = rejected(attack_by(&guest, |plugin| {
        let context = Arc::new(CallContext::default());
        plugin.retries(Hook::ToolPostInvoke, BAD, &context).expect_err("too many")
    }));
    assert_eq!(violation, Violation::TooManyRetries { retries: 7, most: 3 });
}

fn not_started(guest: &Guest, options: Options) -> Violation {
    match Plugin::start(&guest.component(), options) {
        Err(StartError::Rejected(violation)) => violation,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("started"),
    }
}

#[test]
fn a_manifest_without_a_name_does_not_start() {
    let nameless = Guest { describe: "(i32.const 1024)", ..Guest::polite() };
    let violation = not_started(&nameless, options());
    assert!(matches!(violation, Violation::WrongManifest { member: "name", .. }), "{violation}");
}

#[test]
fn a_manifest_that_would_act_on_a_terminal_does_not_start() {
    // The description is the escape at 4096.
    let guest = Guest {
        rest: r#"(data (i32.const 4096) "\1b[2J") (data (i32.const 528) "\00\10\00\00\04")"#
            .to_owned(),
        ..Guest::polite()
    };
    let violation = not_started(&guest, options());
    assert!(
        matches!(violation, Violation::WrongManifest { member: "description", .. }),
        "{violation}"
    );
}

#[test]
fn a_plugin_other_than_the_expected_one_does_not_start() {
    let mut options = options();
    options.expected.name = Some("retry-with-backoff".to_owned());
    let violation = not_started(&Guest::polite(), options);
    assert!(matches!(violation, Violation::OtherManifest { member: "name", .. }), "{violation}");
}

#[test]
fn a_configuration_refused_without_a_reason_is_no_refusal() {
    // err([])
    let guest = Guest {
        configure: "(i32.const 4096)".to_owned(),
        rest: r#"(data (i32.const 4096) "\01")"#.to_owned(),
        ..Guest::polite()
    };
    assert_eq!(not_started(&guest, options()), Violation::RefusedWithoutIssue);
}

#[test]
fn a_schema_that_is_no_json_object_is_refused() {
    let guest = Guest { schema: "(i32.const 1024)", ..Guest::polite() };
    let failure = start(&guest).config_schema().expect_err("an empty text");
    assert_eq!(rejected(failure), Violation::SchemaNoObject);
}

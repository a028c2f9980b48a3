//! What becomes of the calls of a plugin that fails, and of a plugin that fails often.

use std::{sync::Arc, time::Duration};

use host_harness::{
    gateway::Stop,
    sandbox::{Breakage, FailPolicy, HookFailure, Options, Plugin, Replacement},
};

use super::{
    attack::{BAD, judge, judge_at, options, run, start, target},
    guest::{Guest, POLITE_ANSWER, Verdict},
};

fn start_with(guest: &Guest, fail_policy: FailPolicy) -> Arc<Plugin> {
    let options = Options { fail_policy, ..options() };
    Arc::new(Plugin::start(&guest.component(), options).expect("it starts"))
}

/// Traps at the first call of the target `bad` in the life of an instance that
/// answered another call before.
fn bad_only_after_others() -> Guest {
    let handle = format!(
        "(if (i32.and (i32.eq (local.get $target_len) (i32.const 3)) (global.get $calls))
            (then unreachable)) {POLITE_ANSWER}"
    );
    Guest { handle, ..Guest::polite() }
}

#[test]
fn open_passes_the_original_result() {
    let plugin = start_with(&Guest::bad_at("unreachable"), FailPolicy::Open);
    let (attempts, stop) = run(&plugin, BAD, None);
    assert_eq!(attempts, 1);
    assert!(matches!(stop, Stop::PluginFailed(HookFailure::Broke(_))), "{stop:?}");
}

#[test]
fn closed_says_that_the_call_fails_and_still_has_the_original_result() {
    // `run` checks that the last attempt's own reply comes back.
    let plugin = start_with(&Guest::bad_at("unreachable"), FailPolicy::Closed);
    let (_, stop) = run(&plugin, BAD, None);
    assert!(matches!(stop, Stop::FailedClosed(HookFailure::Broke(_))), "{stop:?}");
    let plugin = start_with(&Verdict::retry(u64::MAX).guest(), FailPolicy::Closed);
    let (_, stop) = run(&plugin, BAD, None);
    assert!(matches!(stop, Stop::FailedClosed(HookFailure::Rejected(_))), "{stop:?}");
}

#[test]
fn closed_lets_calls_pass_that_the_plugin_declines_to_judge() {
    // err(unsupported)
    let rest = r#"(data (i32.const 4096) "\01\00\00\00\00\00\00\00\02")"#.to_owned();
    let guest = Guest { rest, ..Guest::bad_at("(return (i32.const 4096))") };
    let (attempts, stop) = run(&start_with(&guest, FailPolicy::Closed), BAD, None);
    assert_eq!(attempts, 1);
    assert!(matches!(stop, Stop::PluginFailed(HookFailure::Refused(_))), "{stop:?}");
}

#[test]
fn reload_answers_this_very_call_by_a_fresh_instance() {
    let plugin = start_with(&bad_only_after_others(), FailPolicy::Reload);
    judge(&plugin, &target(&plugin, true)).expect("a polite answer");
    assert_eq!(judge(&plugin, BAD).expect("the fresh instance answers").failures, 1);
    assert_eq!(plugin.faults().into_iter().collect::<Vec<_>>(), [("broke.trapped", 1)]);
}

#[test]
fn reload_asks_once_more_and_not_for_ever() {
    let plugin = start_with(&Guest::bad_at("unreachable"), FailPolicy::Reload);
    let (_, stop) = run(&plugin, BAD, None);
    assert!(
        matches!(stop, Stop::PluginFailed(HookFailure::Broke(Breakage::Trapped(_)))),
        "{stop:?}"
    );
    assert_eq!(plugin.faults()["broke.trapped"], 2);
}

#[test]
fn reload_does_not_believe_an_instance_that_lied() {
    let plugin = start_with(&Verdict::retry(u64::MAX).guest(), FailPolicy::Reload);
    let next = target(&plugin, true);
    assert_eq!(judge(&plugin, &next).expect("polite").failures, 1);
    let failure = judge(&plugin, BAD).expect_err("both instances lie");
    assert!(matches!(failure, HookFailure::Rejected(_)), "{failure:?}");
    assert_eq!(plugin.faults()["rejected.delay_too_long"], 2);
    assert_eq!(judge(&plugin, &next).expect("polite").failures, 1, "the one that lied is gone");
}

fn rest(plugin: &Plugin, target: &str, now_ms: u64) -> Option<u128> {
    match judge_at(plugin, target, now_ms) {
        Err(HookFailure::Broke(Breakage::Resting { rest, .. } | Breakage::SetAside { rest })) => {
            Some(rest.as_millis())
        }
        _ => None,
    }
}

fn trap_at(plugin: &Plugin, now_ms: u64) {
    let answer = judge_at(plugin, BAD, now_ms);
    assert!(matches!(answer, Err(HookFailure::Broke(Breakage::Trapped(_)))), "{answer:?}");
}

#[test]
fn a_plugin_that_breaks_again_and_again_rests_longer_and_longer_and_comes_back() {
    let plugin = start(&Guest::bad_at("unreachable"));
    let next = target(&plugin, true);
    trap_at(&plugin, 0);
    trap_at(&plugin, 0);
    assert_eq!(rest(&plugin, &next, 40), Some(60));
    trap_at(&plugin, 100);
    assert_eq!(rest(&plugin, &next, 100), Some(200));
    judge_at(&plugin, &next, 300).expect("the rest is over");
    trap_at(&plugin, 300);
    assert_eq!(rest(&plugin, &next, 300), None, "a good answer forgives what was before");
}

#[test]
fn too_many_strikes_set_the_shard_aside_until_the_cool_down_is_over() {
    let replacement = Replacement {
        strikes: 3,
        window: Duration::from_millis(1_000),
        cool_down: Duration::from_millis(5_000),
        ..Replacement::default()
    };
    let options = Options { replacement, ..options() };
    let guest = Guest::bad_at("unreachable");
    let plugin = Plugin::start(&guest.component(), options).expect("it starts");
    let (next, neighbour) = (target(&plugin, true), target(&plugin, false));
    for now in [0, 300, 600] {
        judge_at(&plugin, &next, now).expect("good answers in between do not help");
        trap_at(&plugin, now);
    }
    assert_eq!(rest(&plugin, &next, 600), Some(5_000));
    assert_eq!(rest(&plugin, &next, 5_599), Some(1));
    judge_at(&plugin, &neighbour, 600).expect("the neighbour goes on");
    judge_at(&plugin, &next, 5_600).expect("it is back");
    let faults = plugin.faults();
    assert_eq!((faults["set_aside"], faults["skipped.set_aside"]), (1, 2));
}

#[test]
fn lies_are_strikes_as_well() {
    let replacement = Replacement { strikes: 4, ..Replacement::default() };
    let options = Options { replacement, ..options() };
    let guest = Verdict::retry(u64::MAX).guest();
    let plugin = Plugin::start(&guest.component(), options).expect("it starts");
    for _ in 0..4 {
        let answer = judge(&plugin, BAD);
        assert!(matches!(answer, Err(HookFailure::Rejected(_))), "{answer:?}");
    }
    assert_eq!(rest(&plugin, BAD, 0), Some(60_000));
}

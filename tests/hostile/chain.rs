//! A hostile plugin in a chain beside a sound one.

use std::sync::Arc;

use host_harness::{
    bundled,
    chain::{Chain, Condition, Member},
    contract::Reason,
    gateway::{Hook, RetryHook, Stop},
    sandbox::{Component, FailPolicy, HookFailure, Options, Plugin},
};

use super::{
    attack::{BAD, options, run},
    guest::{Guest, Verdict},
};

fn member(name: &str, plugin: Arc<dyn RetryHook>, tools: &[&str]) -> Member {
    let tools = tools.iter().map(|&tool| tool.to_owned()).collect();
    Member {
        name: name.to_owned(),
        hooks: vec![Hook::ToolPostInvoke],
        conditions: vec![Condition { tools, ..Condition::default() }],
        plugin,
    }
}

fn started(component: &Component, fail_policy: FailPolicy) -> Arc<Plugin> {
    let options = Options { fail_policy, ..options() };
    Arc::new(Plugin::start(component, options).expect("it starts"))
}

fn hostile(guest: &Guest, fail_policy: FailPolicy) -> Member {
    member("hostile", started(&guest.component(), fail_policy), &[])
}

/// The real one, which retries a failed result twice.
fn sound(fail_policy: FailPolicy, tools: &[&str]) -> Member {
    let component = Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("a component");
    member("sound", started(&component, fail_policy), tools)
}

fn chain(members: Vec<Member>) -> Arc<Chain> {
    Arc::new(Chain::new(members))
}

/// It breaks, and it answers outside of the contract.
fn guests() -> [Guest; 2] {
    [Guest::bad_at("unreachable"), Verdict::retry(u64::MAX).guest()]
}

fn exhausted(stop: &Stop) -> bool {
    matches!(stop, Stop::Plugin(verdict) if verdict.reason == Reason::RetriesExhausted)
}

#[test]
fn one_that_fails_open_is_left_out_and_the_sound_one_decides() {
    for guest in guests() {
        for sound_one in [FailPolicy::Open, FailPolicy::Closed] {
            let chain = chain(vec![hostile(&guest, FailPolicy::Open), sound(sound_one, &[])]);
            let (attempts, stop) = run(&chain, BAD, None);
            assert_eq!(attempts, 3);
            assert!(exhausted(&stop), "{stop:?}");
        }
    }
}

#[test]
fn one_that_fails_closed_fails_its_calls_whatever_the_sound_one_says() {
    for guest in guests() {
        for hostile_first in [true, false] {
            let mut members =
                vec![hostile(&guest, FailPolicy::Closed), sound(FailPolicy::Open, &[])];
            if !hostile_first {
                members.reverse();
            }
            let chain = chain(members);
            // `run` checks that the upstream's own result comes back with it.
            let (attempts, stop) = run(&chain, BAD, None);
            assert_eq!(attempts, 1);
            assert!(
                matches!(
                    stop,
                    Stop::FailedClosed(HookFailure::Broke(_) | HookFailure::Rejected(_))
                ),
                "{stop:?}"
            );
            let (attempts, stop) = run(&chain, "another", None);
            assert_eq!(attempts, 3, "where it is polite, it does not matter");
            assert!(matches!(stop, Stop::Plugin(_)), "{stop:?}");
        }
    }
}

#[test]
fn the_policy_is_that_of_the_plugin_that_fails() {
    // The one whose calls are to fail with it has nothing to do with this one.
    for guest in guests() {
        let members =
            vec![hostile(&guest, FailPolicy::Open), sound(FailPolicy::Closed, &["another"])];
        let (attempts, stop) = run(&chain(members), BAD, None);
        assert_eq!(attempts, 1);
        assert!(matches!(stop, Stop::PluginFailed(_)), "{stop:?}");
    }
}

//! Reads of resources, which the original never retries.

use host_harness::{
    contract::{HookError, Invocation, Known, Outcome, Reason, Verdict},
    gateway::{Background, CallContext, Hook, RetryHook},
    sandbox::{HookFailure, Plugin},
};

use crate::plugin_under_test::{FAILED, OK, invocation, judge_outcome, metric, start};

const READ: Hook = Hook::ResourcePostFetch;

fn try_read(plugin: &Plugin, id: &str, outcome: &Outcome) -> Result<Verdict, HookFailure> {
    let call = Invocation { known: Known::TRACE, ..invocation("file:///a", id) };
    plugin.judge(READ, call, outcome, Background::none())
}

fn read(plugin: &Plugin, id: &str, outcome: &Outcome) -> Verdict {
    try_read(plugin, id, outcome).expect("a verdict")
}

#[test]
fn they_are_not_judged_unless_it_is_configured() {
    let plugin = start("null");
    let refused = try_read(&plugin, "1", &Outcome::TimedOut).expect_err("not judged");
    assert!(matches!(refused, HookFailure::Refused(HookError::Unsupported)), "{refused}");
    let most = plugin.retries(READ, "file:///a", &Background::none().context).expect("a number");
    assert_eq!((most.maybe_executed, most.not_executed), (0, 0));
    assert_eq!(metric(&plugin, "calls.tracked"), 0);
}

#[test]
fn they_are_retried_by_the_base_policy_and_always_safe_to_repeat() {
    let plugin = start(
        r#"{"retry_resources": true, "jitter": "none", "replay_safety": "never",
            "tool_overrides": {"*": {"max_retries": 0}}}"#,
    );
    let most = plugin.retries(READ, "file:///a", &Background::none().context).expect("a number");
    assert_eq!((most.maybe_executed, most.not_executed), (2, 2));
    let delays: Vec<_> = (0..3).map(|_| read(&plugin, "1", &Outcome::TimedOut)).collect();
    assert_eq!(delays.iter().map(|one| one.retry_delay_ms).collect::<Vec<_>>(), [200, 400, 0]);
    assert_eq!(delays[2].reason, Reason::RetriesExhausted);
    // I7: the numbers of a traced call are for tools.
    assert!(delays.iter().all(|one| one.metadata.is_none()));
    assert_eq!(read(&plugin, "2", &OK).reason, Reason::Succeeded);
    let missing = read(&plugin, "3", &Outcome::RpcError(-32_002));
    assert_eq!((missing.reason, missing.retry_delay_ms), (Reason::RpcCodeNotRetryable, 0));
}

#[test]
fn a_resource_and_a_tool_of_one_name_and_request_id_are_two_calls() {
    let plugin = start(r#"{"retry_resources": true, "jitter": "none"}"#);
    read(&plugin, "1", &FAILED);
    assert_eq!(judge_outcome(&plugin, invocation("file:///a", "1"), &FAILED).failures, 1);
    assert_eq!(read(&plugin, "1", &FAILED).failures, 2);
    assert_eq!(metric(&plugin, "calls.tracked"), 2);
    plugin.forget(READ, "file:///a", "1", &CallContext::default());
    assert_eq!(metric(&plugin, "calls.tracked"), 1);
    assert_eq!(judge_outcome(&plugin, invocation("file:///a", "1"), &FAILED).failures, 2);
}

#[test]
fn abandoned_reads_never_exceed_their_bound() {
    let plugin = start(r#"{"retry_resources": true, "max_tracked_calls": 100}"#);
    for call in 0..10_000 {
        read(&plugin, &call.to_string(), &FAILED);
    }
    assert_eq!(metric(&plugin, "calls.tracked"), 100);
    assert_eq!(metric(&plugin, "calls.displaced"), 9_900);
}

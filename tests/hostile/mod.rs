//! Plugins that trap, hang and lie. The caller always gets the upstream's own
//! result, and the next call works.

mod guest;

use std::{
    cell::Cell,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::executor::block_on;
use guest::{SUCCEEDED, TOOL_ERROR, Verdict, load, with_configure, with_handle};
use host_harness::{
    contract::{Invocation, Known, Outcome, Returned},
    gateway::{
        Attempt, Background, Content, Finished, Gateway, Hook, Limits, LogicalCall, Reply,
        RetryHook, Stop, Unobserved,
    },
    sandbox::{Breakage, Component, HookFailure, Options, Plugin, StartError, Violation},
};

/// The upstream's own result, to be recognised when it comes back.
struct Marked(u32);

impl Reply for Marked {
    fn outcome(&self) -> Outcome {
        Outcome::Returned(Returned { is_error: true, structured: None })
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        None
    }

    fn timed_out(_: Duration) -> Self {
        unreachable!("no attempt here takes time")
    }
}

fn start(component: &Component) -> Plugin {
    let options = Options { shards: NonZeroUsize::MIN, ..Options::default() };
    Plugin::start(component, options).expect("it starts")
}

fn judge(plugin: &Plugin, target: &str, now_ms: u64) -> Result<u64, HookFailure> {
    let invocation = Invocation {
        target,
        request_id: "1",
        attempt: 1,
        now_ms,
        time_left_ms: None,
        known: Known::empty(),
    };
    let failed = Outcome::Returned(Returned { is_error: true, structured: None });
    let verdict = plugin.judge(Hook::ToolPostInvoke, invocation, &failed, Background::none())?;
    Ok(verdict.retry_delay_ms)
}

/// Runs one call of an upstream that always fails; returns the number of
/// attempts and why there was no other. The reply is the last attempt's own.
fn run(plugin: Plugin) -> (u32, Stop) {
    let gateway = Gateway {
        hook: Some(Arc::new(plugin)),
        limits: Limits::default(),
        clock: Arc::new(crate::virtual_clock::VirtualClock::default()),
        observer: Arc::new(Unobserved),
    };
    let call = LogicalCall::new("pay", "1");
    let sent = Cell::new(0);
    let finished = block_on(gateway.run(&call, |attempt: Attempt| {
        sent.set(sent.get() + 1);
        async move { Marked(attempt.number()) }
    }));
    match finished {
        Finished::Answered { reply, attempts, stop } => {
            assert_eq!(reply.0, sent.get(), "the last attempt's own result comes back");
            assert_eq!(attempts.number(), sent.get());
            (sent.get(), stop)
        }
        Finished::Cancelled { .. } => panic!("nobody cancelled"),
    }
}

fn broke(stop: &Stop) -> &Breakage {
    match stop {
        Stop::PluginFailed(HookFailure::Broke(breakage)) => breakage,
        other => panic!("it should have broken, not {other:?}"),
    }
}

#[test]
fn a_plugin_that_traps_costs_the_caller_nothing() {
    for body in [
        "unreachable",
        "(i32.div_u (i32.const 1) (i32.const 0))",
        "(i32.load (i32.const 0x7fffffff))",
        "(i32.const -8)",
    ] {
        let (attempts, stop) = run(start(&load(&with_handle(body, ""))));
        assert_eq!(attempts, 1, "{body}");
        assert!(matches!(broke(&stop), Breakage::Trapped(_)), "{body}: {stop:?}");
    }
}

#[test]
fn a_plugin_that_never_answers_is_stopped() {
    let started = Instant::now();
    let (attempts, stop) =
        run(start(&load(&with_handle("(loop $for_ever (br $for_ever)) unreachable", ""))));
    assert_eq!(attempts, 1);
    assert!(matches!(broke(&stop), Breakage::TooSlow(_)), "{stop:?}");
    assert!(started.elapsed() < Duration::from_secs(30), "it was not stopped for a long time");
}

#[test]
fn a_plugin_that_recurses_without_end_overflows_its_own_stack_only() {
    let data = "(func $deeper (param i32) (result i32) \
                (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    let (_, stop) = run(start(&load(&with_handle("(call $deeper (i32.const 0))", data))));
    assert!(broke(&stop).to_string().contains("stack"), "{stop:?}");
}

#[test]
fn a_plugin_gets_no_more_memory_than_its_limit() {
    // 64 MiB are 1024 pages; it traps if it does not get 1024 more.
    let greedy = "(if (i32.eq (memory.grow (i32.const 1024)) (i32.const -1)) (then unreachable))
                  (i32.const 1024)";
    let (_, stop) = run(start(&load(&with_handle(greedy, ""))));
    assert!(matches!(broke(&stop), Breakage::Trapped(_)), "{stop:?}");
    let modest = greedy.replace("1024))", "1000))");
    let verdict = judge(&start(&load(&with_handle(&modest, ""))), "t", 0);
    // The zeros it returns are a verdict that contradicts itself, but it lives.
    assert!(matches!(verdict, Err(HookFailure::Rejected(_))), "{verdict:?}");
}

#[test]
fn every_lie_about_a_verdict_is_refused_by_its_name() {
    let verdict = |delay_ms, reason, ceiling_ms, metadata| {
        let lie = Verdict { delay_ms, reason, ceiling_ms, metadata };
        match run(start(&lie.component())) {
            (1, Stop::PluginFailed(HookFailure::Rejected(violation))) => violation,
            (attempts, other) => panic!("{attempts} attempts, {other:?}"),
        }
    };
    let hour = 3_600_000;
    assert_eq!(
        verdict(u64::MAX, TOOL_ERROR, u64::MAX, None),
        Violation::DelayTooLong { delay_ms: u64::MAX, most_ms: hour }
    );
    assert_eq!(
        verdict(hour + 1, TOOL_ERROR, hour + 1, None),
        Violation::DelayTooLong { delay_ms: hour + 1, most_ms: hour }
    );
    assert!(matches!(verdict(0, TOOL_ERROR, 0, None), Violation::RetryWithoutDelay(_)));
    assert!(matches!(verdict(5, SUCCEEDED, 5, None), Violation::DelayWithoutRetry { .. }));
    assert_eq!(
        verdict(6, TOOL_ERROR, 5, None),
        Violation::DelayAboveCeiling { delay_ms: 6, ceiling_ms: 5 }
    );
    assert_eq!(verdict(5, TOOL_ERROR, 5, Some((1, 5))), Violation::WrongMetadata);
}

#[test]
fn a_retry_of_a_plain_success_is_refused() {
    let eager = Verdict { delay_ms: 5, reason: TOOL_ERROR, ceiling_ms: 5, metadata: None };
    let plugin = start(&eager.component());
    let invocation = Invocation {
        target: "t",
        request_id: "1",
        attempt: 1,
        now_ms: 0,
        time_left_ms: None,
        known: Known::empty(),
    };
    let success = Outcome::Returned(Returned { is_error: false, structured: None });
    let verdict = plugin.judge(Hook::ToolPostInvoke, invocation, &success, Background::none());
    assert!(
        matches!(verdict, Err(HookFailure::Rejected(Violation::RetryOfSuccess))),
        "{verdict:?}"
    );
}

#[test]
fn a_reason_that_does_not_exist_breaks_the_plugin_and_not_the_host() {
    let unknown = Verdict { delay_ms: 0, reason: 200, ceiling_ms: 0, metadata: None };
    let (_, stop) = run(start(&unknown.component()));
    assert!(matches!(broke(&stop), Breakage::Trapped(_)), "{stop:?}");
}

#[test]
fn a_plugin_that_asks_for_ever_is_stopped_by_the_ceiling() {
    let endless = Verdict { delay_ms: 1, reason: TOOL_ERROR, ceiling_ms: 1, metadata: None };
    let (attempts, stop) = run(start(&endless.component()));
    assert_eq!(attempts, 1 + Limits::default().max_tool_retries);
    assert!(matches!(stop, Stop::Ceiling(_)), "{stop:?}");
}

#[test]
fn a_refusal_is_neither_a_break_nor_a_wrong_answer() {
    // result::err(hook-error::unsupported)
    let refusal = r#"(data (i32.const 2048) "\01\00\00\00\00\00\00\00\02")"#;
    let (attempts, stop) = run(start(&load(&with_handle("(i32.const 2048)", refusal))));
    assert_eq!(attempts, 1);
    assert!(matches!(stop, Stop::PluginFailed(HookFailure::Refused(_))), "{stop:?}");
}

/// Traps for targets of one letter, answers "succeeded" for others.
fn moody() -> Component {
    let answer = r#"(data (i32.const 2064) "\07")"#;
    let body =
        "(if (i32.eq (local.get $target_len) (i32.const 1)) (then unreachable)) (i32.const 2048)";
    load(&with_handle(body, answer))
}

#[test]
fn after_one_break_the_very_next_call_has_a_fresh_instance() {
    let plugin = start(&moody());
    assert!(matches!(judge(&plugin, "x", 0), Err(HookFailure::Broke(Breakage::Trapped(_)))));
    assert!(matches!(judge(&plugin, "good", 0), Ok(0)));
}

#[test]
fn a_plugin_that_breaks_again_and_again_rests_longer_and_longer_and_comes_back() {
    let plugin = start(&moody());
    let resting = |now| match judge(&plugin, "good", now) {
        Err(HookFailure::Broke(Breakage::Resting { strikes, rest })) => {
            Some((strikes, rest.as_millis()))
        }
        _ => None,
    };
    for now in [0, 0] {
        assert!(matches!(judge(&plugin, "x", now), Err(HookFailure::Broke(Breakage::Trapped(_)))));
    }
    assert_eq!(resting(40), Some((2, 60)));
    assert!(matches!(judge(&plugin, "x", 100), Err(HookFailure::Broke(Breakage::Trapped(_)))));
    assert_eq!(resting(100), Some((3, 200)));
    assert!(matches!(judge(&plugin, "good", 300), Ok(0)), "the rest is over");
    assert!(matches!(judge(&plugin, "x", 300), Err(HookFailure::Broke(Breakage::Trapped(_)))));
    assert_eq!(resting(300), None, "a good answer forgives what was before");
}

#[test]
fn a_break_in_one_shard_is_not_noticed_in_another() {
    let options = Options { shards: NonZeroUsize::new(8).expect("8"), ..Options::default() };
    let plugin = Plugin::start(&moody(), options).expect("it starts");
    for now in 0..3 {
        for bad in ["a", "b", "c"] {
            let _ = judge(&plugin, bad, now);
        }
    }
    let alive = (0..64).filter(|n| judge(&plugin, &format!("good{n}"), 2).is_ok()).count();
    assert!(
        (32..64).contains(&alive),
        "3 of 8 shards rest, the others work; {alive} of 64 answered"
    );
}

#[test]
fn a_plugin_that_breaks_in_configure_does_not_start() {
    for body in ["unreachable", "(loop $for_ever (br $for_ever)) unreachable"] {
        let mut options = Options { shards: NonZeroUsize::MIN, ..Options::default() };
        options.limits.call_time = Duration::from_millis(20);
        let started = Plugin::start(&load(&with_configure(body)), options);
        assert!(matches!(started, Err(StartError::Broke(_))), "{body}");
    }
}

//! Plugins that answer, but take their time.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use host_harness::{
    bundled,
    contract::{Invocation, Known, Scalar, Verdict},
    gateway::{
        Background, Content, Decision, Finished, Gateway, Hook, Judged, Limits, LogicalCall,
        RetryHook, Stop, SystemClock, Unobserved,
    },
    sandbox::{Breakage, Component, HookFailure, Options, Plugin, Replacement},
};
use tokio::{runtime::Builder, task::JoinSet};

use super::{
    attack::{self, FAILED, Marked, judge, options, start_with},
    guest::{Guest, POLITE_ANSWER},
};

/// Rounds of a loop that take some tens of milliseconds on any machine.
const LONG: u64 = 100_000_000;

/// It works for so many rounds over each decision.
fn busy(rounds: u64) -> Guest {
    let work = format!(
        "(local $left i64) (local.set $left (i64.const {rounds}))
         (loop $more
             (local.set $left (i64.sub (local.get $left) (i64.const 1)))
             (br_if $more (i64.ne (local.get $left) (i64.const 0))))"
    );
    Guest { handle: format!("{work} {POLITE_ANSWER}"), ..Guest::polite() }
}

fn invocation(target: &str) -> Invocation<'_> {
    Invocation {
        target,
        request_id: "1",
        attempt: 1,
        now_ms: 0,
        time_left_ms: None,
        known: Known::empty(),
    }
}

fn decide<'a>(plugin: &'a Plugin, target: &'a str) -> Decision<'a, Judged> {
    let background = Background { context: super::attack::context(target), ..Background::none() };
    plugin.decide(Hook::ToolPostInvoke, invocation(target), &FAILED, background)
}

/// With one thread, so that whoever holds it up holds up everybody.
fn alone<T>(work: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(work)
}

fn one_shard() -> Options {
    Options { shards: NonZeroUsize::MIN, ..options() }
}

#[test]
fn a_quick_plugin_decides_at_once() {
    let plugin = start_with(&Guest::polite(), one_shard());
    let end = Instant::now() + Duration::from_secs(60);
    alone(async {
        // A busy machine may make it slow for a while, but not for ever.
        let mut at_once = 0;
        while at_once < 1_000 {
            assert!(Instant::now() < end, "it is never quick");
            match decide(&plugin, "t") {
                Decision::Made(verdict) => {
                    verdict.expect("a verdict");
                    at_once += 1;
                }
                Decision::Pending(verdict) => {
                    verdict.await.expect("a verdict");
                    at_once = 0;
                }
            }
        }
    });
}

#[test]
fn once_a_plugin_was_slow_its_decisions_leave_the_thread() {
    let plugin = start_with(&busy(LONG), one_shard());
    alone(async {
        let first = decide(&plugin, "t");
        assert!(matches!(first, Decision::Made(Ok(_))), "nobody knew: {first:?}");
        // All at one shard: they wait for each other, and not on this thread.
        let mut decisions: Vec<_> = (0..4).map(|_| decide(&plugin, "t")).collect();
        assert!(decisions.iter().all(|one| matches!(one, Decision::Pending(_))));
        let ticks = AtomicU64::new(0);
        let others = async {
            loop {
                ticks.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        };
        let all = async {
            for decision in decisions.drain(..) {
                decision.wait().await.expect("a verdict");
            }
        };
        tokio::select! {
            () = all => {}
            () = others => unreachable!(),
        }
        // While one decision is made, others get thousands of turns.
        assert!(ticks.load(Ordering::Relaxed) > 100, "{ticks:?}");
    });
}

/// An answer over which a guest that reads it stays until it is let go.
struct Held {
    reached: Barrier,
    let_go: Barrier,
}

impl Content for Held {
    fn text_count(&self) -> usize {
        self.reached.wait();
        self.let_go.wait();
        0
    }

    fn text(&self, _: usize) -> Option<&str> {
        None
    }

    fn has_fields(&self) -> bool {
        false
    }

    fn field(&self, _: &str) -> Option<Scalar> {
        None
    }
}

#[test]
fn nobody_waits_on_a_serving_thread_for_the_lock_that_another_decision_holds() {
    let imports =
        r#"(import "mcp-gateway:hooks/content@0.1.0" "text-count" (func $read (result i32)))"#;
    let handle = format!("(drop (call $read)) {POLITE_ANSWER}");
    let plugin = start_with(&Guest { imports, handle, ..Guest::polite() }, one_shard());
    let held = Arc::new(Held { reached: Barrier::new(2), let_go: Barrier::new(2) });
    thread::scope(|scope| {
        let holder = scope.spawn(|| {
            let content: Arc<dyn Content> = held.clone();
            let background = Background { content: Some(content), ..Background::none() };
            plugin.judge(Hook::ToolPostInvoke, invocation("t"), &FAILED, background)
        });
        held.reached.wait();
        alone(async {
            // None of these would return before the lock is given back, if it waited.
            let context = Arc::default();
            let decision = decide(&plugin, "t");
            let retries = plugin.decide_retries(Hook::ToolPostInvoke, "t", &context);
            plugin.forget(Hook::ToolPostInvoke, "t", "1", &context);
            assert!(matches!(decision, Decision::Pending(_)));
            assert!(matches!(retries, Decision::Pending(_)));
            held.let_go.wait();
            assert_eq!(
                decision.wait().await.expect("a verdict").verdict.failures,
                2,
                "the second one"
            );
            retries.wait().await.expect("a number");
        });
        holder.join().expect("no panic").expect("a verdict");
    });
    assert!(plugin.faults().is_empty(), "{:?}", plugin.faults());
}

#[test]
fn a_plugin_that_is_slow_on_average_is_set_aside_though_it_keeps_its_limit() {
    let mut options = one_shard();
    options.limits.average_time = Duration::from_millis(5);
    options.replacement = Replacement { strikes: 3, ..Replacement::default() };
    let plugin = start_with(&busy(LONG), options);
    let answers: Vec<_> = (0..200).map(|_| judge(&plugin, "t")).take_while(Result::is_ok).collect();
    assert!((3..199).contains(&answers.len()), "{}", answers.len());
    let faults = plugin.faults();
    assert_eq!((faults["slow"], faults["set_aside"]), (3, 1), "{faults:?}");
    assert!(!faults.keys().any(|name| name.starts_with("broke")), "{faults:?}");
    let skipped = judge(&plugin, "t").expect_err("it is set aside");
    assert!(matches!(skipped, HookFailure::Broke(Breakage::SetAside { .. })), "{skipped:?}");
}

#[test]
fn a_call_for_which_a_busy_plugin_has_no_turn_goes_on_without_a_verdict() {
    let mut options = one_shard();
    options.limits.turn_time = Duration::from_millis(1);
    let plugin = start_with(&busy(LONG), options);
    judge(&plugin, "t").expect("a verdict");
    alone(async {
        let one = decide(&plugin, "t");
        let other = decide(&plugin, "t");
        let (one, other) = tokio::join!(one.wait(), other.wait());
        one.expect("the first has its turn");
        let (failure, _) = other.expect_err("the second has none");
        assert!(matches!(failure, HookFailure::Broke(Breakage::Busy { .. })), "{failure:?}");
    });
    assert_eq!(plugin.faults().get("skipped.busy"), Some(&1), "{:?}", plugin.faults());
}

#[test]
fn many_calls_at_once_get_the_verdicts_of_a_slow_plugin_through_the_loop() {
    let mut options = one_shard();
    options.limits.turn_time = Duration::from_secs(60);
    options.limits.average_time = Duration::from_secs(60);
    let plugin = start_with(&busy(LONG / 4), options);
    let gateway = Arc::new(Gateway {
        hook: Some(plugin.clone()),
        limits: Limits::default(),
        clock: Arc::new(SystemClock::new()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: Arc::new(Unobserved),
    });
    alone(async {
        let mut calls = JoinSet::new();
        for n in 0..16 {
            let gateway = gateway.clone();
            calls.spawn(async move {
                let call = LogicalCall::new("t", n.to_string());
                let marked = |_| std::future::ready(Marked::of(1));
                match gateway.run(&call, marked).await {
                    Finished::Answered { stop: Stop::Plugin(verdict), .. } => verdict,
                    other => panic!("{:?}", std::mem::discriminant(&other)),
                }
            });
        }
        let mut counted: Vec<u32> =
            calls.join_all().await.into_iter().map(|Verdict { failures, .. }| failures).collect();
        counted.sort_unstable();
        assert_eq!(counted, (1..=16).collect::<Vec<_>>(), "each was judged once, by one instance");
    });
}

/// Four threads for every core do nothing but keep the machine busy.
#[test]
fn a_starved_machine_makes_no_faults_of_a_quick_plugin() {
    let component = Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("bundled");
    let config = r#"{"profile": "safe", "max_retries": 3}"#.to_owned();
    let options = Options { config, ..Options::default() };
    let plugin = Plugin::start(&component, options).expect("a good configuration");
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let over = AtomicBool::new(false);
    let judged: u64 = thread::scope(|scope| {
        for _ in 0..4 * cores {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let end = Instant::now() + Duration::from_secs(2);
        let judges: Vec<_> = (0..4)
            .map(|n| {
                let plugin = &plugin;
                scope.spawn(move || {
                    let target = format!("target-{n}");
                    let mut judged = 0;
                    while Instant::now() < end {
                        // What fails is counted, and seen in the end.
                        let _ = attack::judge_at(plugin, &target, judged);
                        judged += 1;
                    }
                    judged
                })
            })
            .collect();
        let judged = judges.into_iter().map(|judge| judge.join().expect("no panic")).sum();
        over.store(true, Ordering::Relaxed);
        judged
    });
    assert!(judged > 1_000, "{judged}");
    assert!(plugin.faults().is_empty(), "after {judged}: {:?}", plugin.faults());
}

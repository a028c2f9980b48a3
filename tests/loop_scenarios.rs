//! The gateway's loop around the real plugin, and around scripted ones where
//! the original scripts them: sections J, K1-K4 and L of `scenarios.md`.
//!
//! Not here: K5 and K6 (hooks that replace a result; the contract has none).

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::Duration,
};

use futures::executor::block_on;
use host_harness::{
    contract::{
        Class, Invocation, MostRetries, Outcome, Reason, Structured, TransportFailure, Verdict,
    },
    gateway::{
        Attempt, Background, CallContext, Clock, Content, Finished, Gateway, Hook, Limits,
        LogicalCall, Observer, Reply, RetryHook, Sleep, Step, Stop, Unobserved,
    },
    sandbox::{HookFailure, Plugin},
};

use crate::{
    plugin_under_test::{FAILED, OK, metric, start, status},
    virtual_clock::VirtualClock,
};

/// What an attempt brings: an outcome, and a text to know it by.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    outcome: Outcome,
    text: String,
}

fn answer(outcome: Outcome, text: &str) -> Answer {
    Answer { outcome, text: text.to_owned() }
}

impl Reply for Answer {
    fn outcome(&self) -> Outcome {
        self.outcome
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        None
    }

    fn timed_out(after: Duration) -> Self {
        Self { outcome: Outcome::TimedOut, text: format!("timed out after {after:?}") }
    }
}

/// An upstream attempt: an answer after some time, or none for ever.
#[derive(Clone)]
enum Attempted {
    Answers(Duration, Answer),
    Hangs,
}

fn at_once(outcome: Outcome, text: &str) -> Attempted {
    Attempted::Answers(Duration::ZERO, answer(outcome, text))
}

/// A hook that says what it was told to say, and remembers what it was asked.
#[derive(Default)]
struct Scripted {
    delays: Mutex<VecDeque<u64>>,
    asked: Mutex<Vec<Outcome>>,
    forgotten: Mutex<u32>,
}

impl Scripted {
    fn saying(delays: impl IntoIterator<Item = u64>) -> Arc<Self> {
        Arc::new(Self { delays: Mutex::new(delays.into_iter().collect()), ..Self::default() })
    }
}

impl RetryHook for Scripted {
    fn judge(
        &self,
        _: Hook,
        _: Invocation<'_>,
        outcome: &Outcome,
        _: Background,
    ) -> Result<Verdict, HookFailure> {
        self.asked.lock().expect("one thread").push(*outcome);
        let retry_delay_ms = self.delays.lock().expect("one thread").pop_front().unwrap_or(0);
        let reason = if retry_delay_ms > 0 { Reason::ToolError } else { Reason::RetriesExhausted };
        let delay_ceiling_ms = retry_delay_ms;
        Ok(Verdict {
            retry_delay_ms,
            reason,
            failures: 1,
            delay_ceiling_ms,
            class: Class::Transient,
            not_executed: false,
            tool_budget: 0,
            cost: 0,
            pushback_ms: None,
            metadata: None,
        })
    }

    fn retries(&self, _: Hook, _: &str, _: &Arc<CallContext>) -> Result<MostRetries, HookFailure> {
        Ok(MostRetries { maybe_executed: 3, not_executed: 3 })
    }

    fn forget(&self, _: Hook, _: &str, _: &str, _: &CallContext) {
        *self.forgotten.lock().expect("one thread") += 1;
    }
}

/// A gateway on a virtual clock, and the call that goes through it.
struct Scene {
    gateway: Gateway,
    clock: VirtualClock,
    call: LogicalCall,
}

impl Scene {
    fn new(hook: Option<Arc<dyn RetryHook>>, limits: Limits) -> Self {
        let clock = VirtualClock::default();
        let call = LogicalCall::new("test_tool", "1");
        let gateway = Gateway {
            hook,
            limits,
            clock: Arc::new(clock.clone()),
            budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
            observer: Arc::new(Unobserved),
        };
        Self { gateway, clock, call }
    }

    /// Runs the call against these attempts; the last one is repeated for ever.
    fn run(&self, script: &[Attempted]) -> Finished<Answer> {
        block_on(self.gateway.run(&self.call, |attempt| self.attempt(script, attempt)))
    }

    fn attempt(
        &self,
        script: &[Attempted],
        attempt: Attempt,
    ) -> impl Future<Output = Answer> + use<> {
        let index = (attempt.retries() as usize).min(script.len() - 1);
        let (clock, attempted) = (self.clock.clone(), script[index].clone());
        async move {
            match attempted {
                Attempted::Answers(took, answer) => {
                    clock.advance(took);
                    answer
                }
                Attempted::Hangs => std::future::pending().await,
            }
        }
    }
}

fn answered(finished: Finished<Answer>) -> (Answer, u32, Stop) {
    match finished {
        Finished::Answered { reply, attempts, stop, .. } => (reply, attempts.number(), stop),
        Finished::Cancelled { .. } => panic!("nobody cancelled"),
    }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn real(config: &str) -> Arc<Plugin> {
    Arc::new(start(config))
}

const RESET: Outcome = Outcome::TransportFailed(TransportFailure::AfterDispatch);

#[test]
fn an_answered_call_is_retried_when_the_hook_asks() {
    // J1
    let scene = Scene::new(Some(Scripted::saying([100])), Limits::default());
    let (reply, attempts, _) = answered(scene.run(&[at_once(OK, "first"), at_once(OK, "second")]));
    assert_eq!((reply.text.as_str(), attempts), ("second", 2));
    assert_eq!(scene.clock.sleeps(), [ms(100)]);
}

#[test]
fn a_broken_connection_is_retried() {
    // J2
    let scene = Scene::new(Some(Scripted::saying([50])), Limits::default());
    let (reply, ..) =
        answered(scene.run(&[at_once(RESET, "connection reset"), at_once(OK, "second")]));
    assert_eq!(reply.text, "second");
    assert_eq!(scene.clock.sleeps(), [ms(50)]);
}

#[test]
fn the_status_of_an_http_error_reaches_the_plugin() {
    // J3
    use host_harness::contract::HttpError;
    let not_found = Outcome::HttpError(HttpError { status: 404, pushback_ms: None });
    let hook = Scripted::saying([]);
    let scene = Scene::new(Some(hook.clone()), Limits::default());
    let (reply, attempts, _) = answered(scene.run(&[at_once(not_found, "404")]));
    assert_eq!((reply.text.as_str(), attempts), ("404", 1));
    assert_eq!(*hook.asked.lock().expect("one thread"), [not_found]);
    // The real plugin knows what to make of it.
    let scene = Scene::new(Some(real(r#"{"jitter": false}"#)), Limits::default());
    let unavailable = Outcome::HttpError(HttpError { status: 503, pushback_ms: None });
    let (_, attempts, stop) =
        answered(scene.run(&[at_once(unavailable, "503"), at_once(not_found, "404")]));
    assert_eq!(attempts, 2);
    assert!(matches!(stop, Stop::Plugin(Verdict { reason: Reason::StatusNotRetryable, .. })));
}

#[test]
fn a_timeout_is_retried_when_the_hook_asks_and_the_hook_hears_of_it_once() {
    // J4, J7
    let hook = Scripted::saying([75]);
    let limits = Limits { attempt_timeout: Some(ms(30_000)), ..Limits::default() };
    let scene = Scene::new(Some(hook.clone()), limits);
    let (reply, attempts, _) = answered(scene.run(&[Attempted::Hangs, at_once(OK, "second")]));
    assert_eq!((reply.text.as_str(), attempts), ("second", 2));
    assert_eq!(scene.clock.sleeps(), [ms(30_000), ms(75)]);
    assert_eq!(*hook.asked.lock().expect("one thread"), [Outcome::TimedOut, OK]);
}

#[test]
fn a_timeout_that_the_hook_leaves_alone_is_returned_without_a_sleep() {
    // J5, J6, K1-K4: whatever the upstream speaks, a timeout is judged once.
    let hook = Scripted::saying([]);
    let limits = Limits { attempt_timeout: Some(ms(30_000)), ..Limits::default() };
    let scene = Scene::new(Some(hook.clone()), limits);
    let (reply, attempts, _) = answered(scene.run(&[Attempted::Hangs]));
    assert_eq!((reply.text.as_str(), attempts), ("timed out after 30s", 1));
    assert_eq!(scene.clock.sleeps(), [ms(30_000)], "the attempt's own time and no other");
    assert_eq!(hook.asked.lock().expect("one thread").len(), 1);
}

#[test]
fn without_a_plugin_there_is_one_attempt() {
    // J8
    let scene = Scene::new(None, Limits::default());
    let (reply, attempts, stop) = answered(scene.run(&[at_once(FAILED, "first")]));
    assert_eq!((reply.text.as_str(), attempts), ("first", 1));
    assert!(matches!(stop, Stop::NoPlugin));
}

/// The tool of section L: fails so often, then recovers.
fn flaky(fail_times: u32) -> Vec<Attempted> {
    let failing = (1..=fail_times)
        .map(|n| at_once(FAILED, &format!("flaky transient failure (attempt {n}/{fail_times})")));
    let recovered = format!("flaky recovered after {} attempt(s)", fail_times + 1);
    failing.chain([at_once(OK, &recovered)]).collect()
}

#[test]
fn failures_within_the_limit_are_hidden_and_beyond_it_the_last_one_is_shown() {
    let scene =
        || Scene::new(Some(real(r#"{"max_retries": 2, "jitter": false}"#)), Limits::default());
    // L1
    let within = scene();
    let (reply, attempts, _) = answered(within.run(&flaky(2)));
    assert_eq!((reply, attempts), (answer(OK, "flaky recovered after 3 attempt(s)"), 3));
    assert_eq!(within.clock.sleeps(), [ms(200), ms(400)]);
    // L2
    let (reply, attempts, stop) = answered(scene().run(&flaky(3)));
    assert_eq!((reply, attempts), (answer(FAILED, "flaky transient failure (attempt 3/3)"), 3));
    assert!(matches!(stop, Stop::Plugin(Verdict { reason: Reason::RetriesExhausted, .. })));
}

#[test]
fn the_ceiling_stops_a_hook_that_always_asks() {
    let hook = Scripted::saying(std::iter::repeat_n(1, 100));
    for ceiling in [0, 1, 3] {
        let limits = Limits { max_tool_retries: ceiling, ..Limits::default() };
        let scene = Scene::new(Some(hook.clone()), limits);
        let (_, attempts, stop) = answered(scene.run(&[at_once(FAILED, "f")]));
        assert_eq!(attempts, 1 + ceiling);
        assert!(matches!(stop, Stop::Ceiling(_)));
    }
    assert_eq!(*hook.forgotten.lock().expect("one thread"), 3, "it hears that the call is over");
}

#[test]
fn no_sleep_begins_that_cannot_end_in_an_attempt_before_the_deadline() {
    // Attempts of 100 ms, delays of 200 and 400 ms: the second retry would start at 800.
    let slow = |text: &str| Attempted::Answers(ms(100), answer(FAILED, text));
    for (deadline, attempts, slept) in [
        (301, 2, vec![ms(200)]),
        (300, 1, vec![]),
        (801, 3, vec![ms(200), ms(400)]),
        (800, 2, vec![ms(200)]),
    ] {
        let limits = Limits { deadline: Some(ms(deadline)), ..Limits::default() };
        for plugin in
            [real(r#"{"jitter": false}"#) as Arc<dyn RetryHook>, Scripted::saying([200, 400])]
        {
            let scene = Scene::new(Some(plugin), limits);
            let (reply, made, stop) = answered(scene.run(&[slow("1"), slow("2"), slow("3")]));
            assert_eq!(made, attempts, "{deadline}: {stop:?}");
            assert_eq!(scene.clock.sleeps(), slept, "{deadline}");
            assert_eq!(reply.text, attempts.to_string());
        }
    }
}

#[test]
fn the_deadline_also_bounds_an_attempt_that_hangs() {
    let limits = Limits { deadline: Some(ms(1_000)), ..Limits::default() };
    let plugin = real(r#"{"jitter": false}"#);
    let scene = Scene::new(Some(plugin.clone()), limits);
    let (reply, attempts, stop) = answered(scene.run(&[at_once(FAILED, "f"), Attempted::Hangs]));
    assert_eq!((reply.text.as_str(), attempts), ("timed out after 800ms", 2));
    assert!(matches!(stop, Stop::Plugin(Verdict { reason: Reason::DeadlineTooClose, .. })));
    assert_eq!(scene.clock.now(), ms(1_000));
    assert_eq!(metric(&plugin, "calls.tracked"), 0);
}

/// A clock on which nobody ever wakes; the sleeper is told that it sleeps.
struct EndlessSleep(Box<dyn Fn() + Send + Sync>);

impl Clock for EndlessSleep {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> Sleep {
        (self.0)();
        Box::pin(std::future::pending())
    }
}

#[test]
fn a_call_that_is_cancelled_in_its_sleep_ends_at_once_and_leaves_nothing_behind() {
    let plugin = real("null");
    let mut scene = Scene::new(Some(plugin.clone()), Limits::default());
    let (cancel, sleeping) = (scene.call.cancel.clone(), Arc::new(Mutex::new(0)));
    let seen = (plugin.clone(), sleeping.clone());
    scene.gateway.clock = Arc::new(EndlessSleep(Box::new(move || {
        *seen.1.lock().expect("one thread") += metric(&seen.0, "calls.tracked");
        cancel.cancel();
    })));
    let finished = scene.run(&[at_once(FAILED, "f")]);
    assert!(matches!(finished, Finished::Cancelled { attempts } if attempts.number() == 1));
    assert_eq!(*sleeping.lock().expect("one thread"), 1, "it was remembered while it slept");
    assert_eq!((metric(&plugin, "calls.tracked"), metric(&plugin, "calls.forgotten")), (0, 1));
}

#[test]
fn a_call_that_is_cancelled_in_an_attempt_gets_no_verdict() {
    let hook = Scripted::saying([5]);
    let scene = Scene::new(Some(hook.clone()), Limits::default());
    let cancel = scene.call.cancel.clone();
    let finished = block_on(scene.gateway.run(&scene.call, |attempt| {
        if attempt.number() == 2 {
            cancel.cancel();
        }
        scene.attempt(&[at_once(FAILED, "f"), Attempted::Hangs], attempt)
    }));
    assert!(matches!(finished, Finished::Cancelled { attempts } if attempts.number() == 2));
    assert_eq!(hook.asked.lock().expect("one thread").len(), 1);
    assert_eq!(*hook.forgotten.lock().expect("one thread"), 1);
}

#[test]
fn a_call_whose_future_is_dropped_leaves_nothing_behind() {
    let plugin = real("null");
    let watcher = Arc::new(Watcher::default());
    let mut scene = Scene::new(Some(plugin.clone()), Limits::default());
    scene.gateway.clock = Arc::new(EndlessSleep(Box::new(|| {})));
    scene.gateway.observer = watcher.clone();
    {
        let script = [at_once(FAILED, "f")];
        let run = pin!(scene.gateway.run(&scene.call, |attempt| scene.attempt(&script, attempt)));
        assert!(run.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(metric(&plugin, "calls.tracked"), 1);
    }
    assert_eq!(metric(&plugin, "calls.tracked"), 0);
    let seen = watcher.0.lock().expect("one thread");
    assert_eq!(seen.last().map(String::as_str), Some("over after 1 in 0ns"));
}

#[test]
fn a_call_that_is_over_leaves_nothing_behind_whatever_its_end() {
    let plugin = real(r#"{"jitter": false, "max_retries": 10}"#);
    let structured = Some(Structured { is_error: false, status_code: Some(404) });
    let not_found =
        Outcome::Returned(host_harness::contract::Returned { is_error: true, structured });
    for end in [OK, not_found, FAILED, RESET, status(503), Outcome::RpcError(-32_602)] {
        let scene = Scene::new(Some(plugin.clone()), Limits::default());
        answered(scene.run(&[at_once(FAILED, "1"), at_once(RESET, "2"), at_once(end, "end")]));
        assert_eq!(metric(&plugin, "calls.tracked"), 0, "{end:?}");
    }
}

/// Writes down each step of a call, by its name.
#[derive(Default)]
struct Watcher(Mutex<Vec<String>>);

impl Observer for Watcher {
    fn observe(&self, _: &LogicalCall, step: &Step<'_>) {
        let line = match step {
            Step::AttemptStarted(attempt) => format!("attempt {attempt}"),
            Step::AttemptEnded { attempt, took, .. } => format!("{attempt} ended in {took:?}"),
            Step::Waiting { after, verdict } => format!("{after} waits {}", verdict.retry_delay_ms),
            Step::Finished { attempts, took, .. } => format!("over after {attempts} in {took:?}"),
        };
        self.0.lock().expect("one thread").push(line);
    }
}

#[test]
fn whoever_watches_sees_every_step_in_order() {
    let watcher = Arc::new(Watcher::default());
    let mut scene = Scene::new(Some(real(r#"{"jitter": false}"#)), Limits::default());
    scene.gateway.observer = watcher.clone();
    let slow = Attempted::Answers(ms(30), answer(FAILED, "f"));
    scene.run(&[slow, at_once(OK, "ok")]);
    let seen = watcher.0.lock().expect("one thread").clone();
    let expected = [
        "attempt 1",
        "1 ended in 30ms",
        "1 waits 200",
        "attempt 2",
        "2 ended in 0ns",
        "over after 2 in 230ms",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn attempts_are_numbered_for_the_upstream_from_one() {
    let numbers = RefCell::new(Vec::new());
    let scene = Scene::new(Some(Scripted::saying([1, 1])), Limits::default());
    block_on(scene.gateway.run(&scene.call, |attempt| {
        numbers.borrow_mut().push((attempt.number(), attempt.retries()));
        scene.attempt(&[at_once(FAILED, "f")], attempt)
    }));
    assert_eq!(*numbers.borrow(), [(1, 0), (2, 1), (3, 2)]);
}

//! One hostile act, and what everybody else noticed of it.

use std::{
    cell::Cell,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::executor::block_on;
use host_harness::{
    contract::{Invocation, Known, Outcome, Returned, Verdict},
    gateway::{
        Attempt, Background, CallContext, Content, Finished, Gateway, Home, Hook, Limits,
        LogicalCall, Reply, RetryHook, Stop, Unobserved,
    },
    sandbox::{Breakage, HookFailure, Options, Plugin},
};

use super::guest::Guest;
use crate::virtual_clock::VirtualClock;

/// The target that hostile guests are bad at.
pub const BAD: &str = "bad";

/// No caller waits longer than this, whatever the guest does. Far above what
/// it should be: the machine may be busy elsewhere.
const BOUND: Duration = Duration::from_secs(30);

/// A failed result.
pub const FAILED: Outcome = Outcome::Returned(Returned { is_error: true, structured: None });

/// The upstream's own result, to be recognised when it comes back.
pub struct Marked {
    attempt: u32,
    content: Option<Arc<dyn Content>>,
}

impl Marked {
    /// That of an attempt, without a body.
    pub const fn of(attempt: u32) -> Self {
        Self { attempt, content: None }
    }
}

impl Reply for Marked {
    fn outcome(&self) -> Outcome {
        FAILED
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        self.content.clone()
    }

    fn timed_out(_: Duration) -> Self {
        unreachable!("no attempt here takes time")
    }
}

/// Eight shards. A test machine that is busy elsewhere is not what is tested
/// here, so that a call has all the time of the world.
pub fn options() -> Options {
    options_for(Duration::from_secs(60))
}

/// The same for guests that use up all their time.
pub fn impatient() -> Options {
    options_for(Duration::from_millis(300))
}

fn options_for(call_time: Duration) -> Options {
    let mut options = Options { shards: NonZeroUsize::new(8).expect("8"), ..Options::default() };
    options.limits.call_time = call_time;
    options
}

pub fn start(guest: &Guest) -> Arc<Plugin> {
    start_with(guest, options())
}

pub fn start_with(guest: &Guest, options: Options) -> Arc<Plugin> {
    Arc::new(Plugin::start(&guest.component(), options).expect("it starts"))
}

/// Judges a failed first attempt at the time 0.
pub fn judge(plugin: &Plugin, target: &str) -> Result<Verdict, HookFailure> {
    judge_at(plugin, target, 0)
}

pub fn judge_at(plugin: &Plugin, target: &str, now_ms: u64) -> Result<Verdict, HookFailure> {
    let invocation = Invocation {
        target,
        request_id: "1",
        attempt: 1,
        now_ms,
        time_left_ms: None,
        known: Known::empty(),
    };
    let background = Background { context: context(target), ..Background::none() };
    plugin.judge(Hook::ToolPostInvoke, invocation, &FAILED, background)
}

/// Runs one call of an upstream that always fails. Returns the number of
/// attempts and why there was no other. The reply is the last attempt's own.
pub fn run(
    plugin: &Arc<impl RetryHook + 'static>,
    target: &str,
    content: Option<Arc<dyn Content>>,
) -> (u32, Stop) {
    let gateway = Gateway {
        hook: Some(plugin.clone()),
        limits: Limits::default(),
        clock: Arc::new(VirtualClock::default()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: Arc::new(Unobserved),
    };
    let call = LogicalCall { context: context(target), ..LogicalCall::new(target, "1") };
    let sent = Cell::new(0);
    let finished = block_on(gateway.run(&call, |attempt: Attempt| {
        sent.set(sent.get() + 1);
        let content = content.clone();
        async move { Marked { attempt: attempt.number(), content } }
    }));
    match finished {
        Finished::Answered { reply, attempts, stop, .. } => {
            assert_eq!(reply.attempt, sent.get(), "the last attempt's own result comes back");
            assert_eq!(attempts.number(), sent.get());
            (sent.get(), stop)
        }
        Finished::Cancelled { .. } => panic!("nobody cancelled"),
    }
}

/// A call whose shard depends on its target, as if each target had a thread of its own.
pub fn context(target: &str) -> Arc<CallContext> {
    let number = target.bytes().map(usize::from).sum();
    Arc::new(CallContext { home: Home::at(number), ..CallContext::default() })
}

/// A target of another shard than the target `bad`, or of the same one.
pub fn target(plugin: &Plugin, same_shard: bool) -> String {
    let bad = plugin.shard_of(&context(BAD));
    let mut names = (0..).map(|n| format!("target-{n}"));
    names.find(|name| (plugin.shard_of(&context(name)) == bad) == same_shard).expect("one of many")
}

/// Lets a guest be hostile and returns how it failed, after it was made sure
/// that nobody else noticed: the caller got the upstream's own result in time,
/// the next call on the same shard is answered, and the instance of a
/// neighbouring shard still is the same.
pub fn attack_by(guest: &Guest, strike: impl FnOnce(&Arc<Plugin>) -> HookFailure) -> HookFailure {
    attack_on(&start(guest), strike)
}

/// The same on a plugin that has been started already.
pub fn attack_on(
    plugin: &Arc<Plugin>,
    strike: impl FnOnce(&Arc<Plugin>) -> HookFailure,
) -> HookFailure {
    let (next, neighbour) = (target(plugin, true), target(plugin, false));
    let asked = |target: &str| judge(plugin, target).expect("a polite answer").failures;
    assert_eq!((asked(&neighbour), asked(&neighbour)), (1, 2), "it counts its calls");
    let before = Instant::now();
    let failure = strike(plugin);
    assert!(before.elapsed() < BOUND, "the caller waited for {:?}", before.elapsed());
    let answered = asked(&next);
    if matches!(failure, HookFailure::Broke(_)) {
        assert_eq!(answered, 1, "the next call on the same shard meets a fresh instance");
    }
    assert_eq!(asked(&neighbour), 3, "the neighbour's instance is still the same");
    let counted: u64 = plugin.faults().values().sum();
    assert_eq!(counted, 1, "{:?}", plugin.faults());
    failure
}

/// The same for a guest that is bad at judging the target `bad`.
pub fn attack(guest: &Guest) -> HookFailure {
    attack_with(guest, None)
}

pub fn attack_with(guest: &Guest, content: Option<Arc<dyn Content>>) -> HookFailure {
    attack_by(guest, |plugin| judged_badly(plugin, content))
}

/// How a guest fails that judges the target `bad`.
pub fn judged_badly(plugin: &Arc<Plugin>, content: Option<Arc<dyn Content>>) -> HookFailure {
    match run(plugin, BAD, content) {
        (1, Stop::PluginFailed(failure)) => failure,
        (attempts, stop) => panic!("{attempts} attempts, {stop:?}"),
    }
}

/// How a guest that broke did so.
pub fn breakage(failure: HookFailure) -> Breakage {
    match failure {
        HookFailure::Broke(breakage) => breakage,
        other => panic!("it should have broken, not {other:?}"),
    }
}

/// What a guest that trapped is said to have done.
pub fn trap(failure: HookFailure) -> String {
    match breakage(failure) {
        Breakage::Trapped(what) => what,
        other => panic!("it should have trapped, not {other:?}"),
    }
}

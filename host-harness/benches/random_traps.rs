//! A million calls from eight threads, through a plugin that traps at random.
//!
//! Nothing may be lost (every call gets the reply of its own last attempt),
//! nothing may hang (the program ends), and the host's memory stays flat:
//!
//! ```sh
//! cargo bench --package host-harness --bench random_traps
//! ```

#[path = "../../tests/hostile/guest.rs"]
#[allow(dead_code, reason = "made for the tests")]
mod guest;
mod resident;

use std::{
    collections::BTreeMap,
    future::ready,
    num::NonZeroUsize,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use guest::Guest;
use host_harness::{
    contract::{Outcome, Reason, Returned, Structured, TransportFailure},
    gateway::{
        Attempt, Clock, Content, Finished, Gateway, Limits, LogicalCall, Reply, Sleep, Stop,
        Unobserved,
    },
    sandbox::{Entropy, HookFailure, Options, Plugin, Replacement},
};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

const THREADS: u64 = 8;
const CALLS: u64 = 1_000_000;
/// Calls before the memory is measured for the first time.
const WARM_UP: u64 = 100_000;

/// Traps once in 64 times; asks for a retry of what failed, up to two of them.
fn moody() -> Guest {
    let handle = r#"
        (if (i64.eqz (i64.and (call $random) (i64.const 63))) (then unreachable))
        (if (i32.and
                (i32.lt_u (local.get $attempt) (i32.const 3))
                (i32.or
                    (i32.and (i32.eqz (local.get $outcome)) (i32.wrap_i64 (local.get $is_error)))
                    (i32.and (i32.ge_u (local.get $outcome) (i32.const 1))
                             (i32.le_u (local.get $outcome) (i32.const 4)))))
            (then (return (i32.const 4096))))
        (i32.const 2048)"#;
    // A retry after 1 ms, reason `tool-error`, one failure.
    let retry = r#"(data (i32.const 4104) "\01\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\01")"#;
    Guest {
        imports: r#"(import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))"#,
        handle: handle.to_owned(),
        rest: retry.to_owned(),
        ..Guest::polite()
    }
}

/// Every look moves it on by a microsecond, and sleeping takes no time.
struct Simulated(AtomicU64);

impl Clock for Simulated {
    fn now(&self) -> Duration {
        Duration::from_micros(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.fetch_add(u64::try_from(duration.as_micros()).expect("short"), Ordering::Relaxed);
        Box::pin(ready(()))
    }
}

/// A reply that knows whose it is.
struct Mine {
    call: u64,
    attempt: Attempt,
    outcome: Outcome,
}

impl Reply for Mine {
    fn outcome(&self) -> Outcome {
        self.outcome
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        None
    }

    fn timed_out(_: Duration) -> Self {
        unreachable!("there is no timeout")
    }
}

fn outcome(random: u64) -> Outcome {
    let returned = |is_error, structured| Outcome::Returned(Returned { is_error, structured });
    match random % 8 {
        0..=3 => returned(false, None),
        4 => returned(true, None),
        5 => returned(false, Some(Structured { is_error: false, status_code: Some(503) })),
        6 => Outcome::TransportFailed(TransportFailure::AfterDispatch),
        _ => Outcome::RpcError(-32_603),
    }
}

/// One thread's share of the calls; how they ended.
fn calls(gateway: &Gateway, numbers: std::ops::Range<u64>) -> BTreeMap<&'static str, u64> {
    let mut ends = BTreeMap::new();
    let mut random = Pcg64::seed_from_u64(numbers.start);
    for number in numbers {
        let call = LogicalCall::new(format!("tool-{}", number % 97), format!("{number:x}"));
        let mut made = 0;
        let mut run = pin!(gateway.run(&call, |attempt| {
            made += 1;
            ready(Mine { call: number, attempt, outcome: outcome(random.next_u64()) })
        }));
        // Nothing here waits, so that it is over at the first poll.
        let Poll::Ready(finished) = run.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("call {number} hangs")
        };
        let Finished::Answered { reply, attempts, stop, .. } = finished else {
            panic!("call {number} was lost")
        };
        assert_eq!((reply.call, reply.attempt), (number, attempts), "its own last reply");
        let end = match stop {
            Stop::Plugin(verdict) if verdict.reason == Reason::Succeeded => "judged",
            Stop::PluginFailed(HookFailure::Broke(breakage)) => breakage.name(),
            other => panic!("call {number}: {other:?}"),
        };
        *ends.entry(end).or_insert(0) += 1;
    }
    ends
}

fn run(gateway: &Gateway, count: u64) -> BTreeMap<&'static str, u64> {
    let share = count / THREADS;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|n| scope.spawn(move || calls(gateway, n * share..(n + 1) * share)))
            .collect();
        let mut sums = BTreeMap::new();
        for thread in threads {
            for (end, count) in thread.join().expect("no thread fails") {
                *sums.entry(end).or_insert(0) += count;
            }
        }
        sums
    })
}

fn main() {
    let options = Options {
        shards: NonZeroUsize::new(8).expect("8"),
        entropy: Entropy::Os,
        // It is asked again however often it traps: that is what is tried here.
        replacement: Replacement { strikes: usize::MAX, ..Replacement::default() },
        ..Options::default()
    };
    let component = moody().component();
    let plugin = Arc::new(Plugin::start(&component, options).expect("it starts"));
    let gateway = Gateway {
        hook: Some(plugin.clone()),
        limits: Limits::default(),
        clock: Arc::new(Simulated(AtomicU64::new(0))),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: Arc::new(Unobserved),
    };
    run(&gateway, WARM_UP);
    let before = resident::kib();
    let started = Instant::now();
    let ends = run(&gateway, CALLS);
    let took = started.elapsed();
    let after = resident::kib();
    let ended: u64 = ends.values().sum();
    assert_eq!(ended, CALLS, "nothing is lost");
    println!("{CALLS} calls, {THREADS} threads, {:.1} s: {ends:?}", took.as_secs_f64());
    println!("faults since the start: {:?}", plugin.faults());
    println!("resident set: {before} KiB after the first {WARM_UP} calls, {after} KiB at the end");
}

//! The original's concurrent scenario: 50 tools, 40 requests each, mixed
//! outcomes, shared between one to eight threads, under a watchdog.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Barrier, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use host_harness::{
    contract::Invocation,
    gateway::{Background, CallContext, Hook, RetryHook},
    sandbox::{Options, Plugin},
};

use super::{
    Effort,
    cases::{config, plugin, returned},
    figure::{Figure, Unit},
};

/// How many threads share the calls.
pub const THREADS: [usize; 4] = [1, 2, 4, 8];
/// Longer than any of this takes, however busy the machine.
pub const WATCHDOG: Duration = Duration::from_secs(30);

/// The profile with all that protects an upstream, of which there is one.
const SAFE: &str = r#"{"profile": "safe", "max_retries": 10, "idempotent": true}"#;
const TOOLS: usize = 50;
const REQUESTS: usize = 40;

/// A call of a tool, and whether it fails before it succeeds.
struct Call {
    tool: String,
    request: String,
    fails: bool,
}

pub fn measure(effort: Effort) -> anyhow::Result<Vec<Figure>> {
    let shards = Options::default().shards;
    let calls: Arc<Vec<Call>> = Arc::new((0..TOOLS * REQUESTS).map(call).collect());
    let mut figures = Vec::new();
    for threads in THREADS {
        let one = Arc::new(plugin(config(false), shards)?);
        let shared = vec![one; threads];
        // What the machine has to give at this moment: threads that share nothing.
        let apart: anyhow::Result<Vec<_>> =
            (0..threads).map(|_| Ok(Arc::new(plugin(config(false), NonZeroUsize::MIN)?))).collect();
        let apart = apart?;
        let safe = Arc::new(plugin(SAFE.to_owned(), shards)?);
        let safe = vec![safe; threads];
        let (mut together, mut alone, mut safely) = (Vec::new(), Vec::new(), Vec::new());
        // In turn, so that all meet the same neighbours.
        for _ in 0..effort.samples.min(15) {
            together.push(play(&shared, &calls, effort.rounds)?);
            alone.push(play(&apart, &calls, effort.rounds)?);
            safely.push(play(&safe, &calls, effort.rounds)?);
        }
        let figure = |note: &str, samples| {
            Figure::of(format!("{note}/{threads} threads"), Unit::PerSecond, samples)
        };
        figures.push(figure("concurrent", together));
        figures.push(figure("concurrent, nothing shared", alone));
        figures.push(figure("concurrent, safe, one upstream", safely));
    }
    Ok(figures)
}

fn call(number: usize) -> Call {
    Call {
        tool: format!("tool_{}", number % TOOLS),
        request: format!("request-{}", number / TOOLS),
        fails: number % 2 == 1,
    }
}

/// Decisions in a second, of a thread for each entry of `plugins`.
fn play(plugins: &[Arc<Plugin>], calls: &Arc<Vec<Call>>, rounds: usize) -> anyhow::Result<f64> {
    let (done, all_done) = mpsc::channel();
    let threads = plugins.len();
    // Starting threads is no part of what is measured.
    let ready = Arc::new(Barrier::new(threads + 1));
    for (index, plugin) in plugins.iter().enumerate() {
        let (plugin, calls, done) = (plugin.clone(), calls.clone(), done.clone());
        let ready = ready.clone();
        thread::spawn(move || {
            ready.wait();
            let mut decisions = 0_u64;
            for _ in 0..rounds {
                for call in calls.iter().skip(index).step_by(threads) {
                    decisions += decide(&plugin, call);
                }
            }
            // Nobody listens any more after the watchdog has barked.
            let _ = done.send(decisions);
        });
    }
    ready.wait();
    let start = Instant::now();
    let mut decisions = 0;
    for _ in 0..threads {
        let left = WATCHDOG.saturating_sub(start.elapsed());
        match all_done.recv_timeout(left) {
            Ok(some) => decisions += some,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("{threads} threads hang: not done after {} s", WATCHDOG.as_secs())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(mpsc::RecvTimeoutError::Disconnected).context("a thread panicked");
            }
        }
    }
    Ok(decisions as f64 / start.elapsed().as_secs_f64())
}

/// All decisions of a call: how many they were.
fn decide(plugin: &Plugin, call: &Call) -> u64 {
    let context = CallContext { upstream: Some("one".to_owned()), ..CallContext::default() };
    let background = Background { context: Arc::new(context), ..Background::none() };
    let known = background.known(false);
    let outcomes: &[bool] = if call.fails { &[true, false] } else { &[false] };
    for (attempt, fails) in (1..).zip(outcomes) {
        let invocation = Invocation {
            target: &call.tool,
            request_id: &call.request,
            attempt,
            now_ms: 0,
            time_left_ms: None,
            known,
        };
        let outcome = returned(*fails, fails.then_some(503));
        let verdict = plugin.judge(Hook::ToolPostInvoke, invocation, &outcome, background.clone());
        let retries = verdict.expect("a verdict").retry_delay_ms > 0;
        assert_eq!(retries, *fails, "{}", call.request);
    }
    outcomes.len() as u64
}

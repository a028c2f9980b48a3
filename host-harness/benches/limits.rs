//! The price of all limits: the bundled plugin in the sandbox, beside the same
//! in a sandbox whose limits are out of reach and whose guests cannot be
//! interrupted. A third column has the component in a bare store of wasmtime,
//! behind a lock: there are no shards and no boundary checks either.
//!
//! The two take turns, so that both see the same machine; the figures are
//! medians over all turns.
//!
//! ```sh
//! cargo bench --package host-harness --bench limits
//! ```

mod classic;
mod unlimited;

use std::{
    hint::black_box,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use classic::{classic_cases, invocation};
use host_harness::{
    bundled,
    contract::Invocation,
    gateway::{Background, Hook, RetryHook},
    sandbox::{Entropy, Limits, LoadLimits, Loader, Options, Plugin},
};
use unlimited::Unlimited;

const TURNS: usize = 400;
const CALLS: u64 = 5_000;

/// Ten retries, so that a call that fails again and again is mostly retried.
const CONFIG: &str = r#"{"max_retries": 10}"#;
const CEILING: u32 = 10;

fn sandboxed(limits: Limits, load: LoadLimits) -> Plugin {
    let loader = Loader { limits: load, ..Loader::default() };
    let component = loader.bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component");
    let options = Options {
        config: CONFIG.to_owned(),
        max_tool_retries: CEILING,
        shards: NonZeroUsize::MIN,
        entropy: Entropy::Seeded(1),
        limits,
        ..Options::default()
    };
    Plugin::start(&component, options).expect("a good configuration")
}

/// What no guest reaches.
fn out_of_reach() -> Plugin {
    let limits = Limits {
        call_time: Duration::MAX,
        average_time: Duration::MAX,
        turn_time: Duration::MAX,
        memory_bytes: usize::MAX,
        memories: usize::MAX,
        table_elements: usize::MAX,
        tables: usize::MAX,
        instances: usize::MAX,
        handles: usize::MAX,
        hook_result_bytes: usize::MAX,
        lifecycle_result_bytes: usize::MAX,
        schema_bytes: usize::MAX,
        text_bytes: usize::MAX,
        text_bytes_per_call: usize::MAX,
        texts: usize::MAX,
        random_bytes_per_call: usize::MAX,
        host_calls: u32::MAX,
        max_delay: Duration::MAX,
    };
    sandboxed(limits, LoadLimits { interruptible: false, ..LoadLimits::default() })
}

/// Nanoseconds a call of one turn.
fn turn(now: &mut u64, mut call: impl FnMut(Invocation<'static>)) -> f64 {
    let started = Instant::now();
    for _ in 0..CALLS {
        *now += 1;
        call(black_box(invocation(*now)));
    }
    started.elapsed().as_nanos() as f64 / CALLS as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    println!("nanoseconds a decision, median of {TURNS} turns of {CALLS} calls");
    println!("{:>12} {:>10} {:>10} {:>8} {:>10}", "", "no limit", "all limits", "price", "bare");
    for (name, outcome) in classic_cases() {
        let sandboxes = [out_of_reach(), sandboxed(Limits::default(), LoadLimits::default())];
        let bare = Unlimited::start(CONFIG, CEILING);
        let background = Background::none();
        let mut times = [const { Vec::new() }; 3];
        let mut now = [0; 3];
        for _ in 0..TURNS {
            for (index, plugin) in sandboxes.iter().enumerate() {
                times[index].push(turn(&mut now[index], |invocation| {
                    let background = background.clone();
                    let hook = Hook::ToolPostInvoke;
                    let answer = plugin.judge(hook, invocation, black_box(&outcome), background);
                    black_box(answer).expect("a verdict");
                }));
            }
            times[2].push(turn(&mut now[2], |invocation| {
                let answer = bare.judge(invocation, black_box(&outcome), background.clone());
                black_box(answer).expect("no trap").expect("a verdict");
            }));
        }
        let [without, with, bare] = times.map(median);
        let price = (with / without - 1.0) * 100.0;
        println!("{name:>12} {without:>10.0} {with:>10.0} {price:>7.1}% {bare:>10.0}");
    }
}

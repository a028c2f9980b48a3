//! A million calls that fail once and are never heard of again: does anyone pay for them?
//!
//! Every decision is timed by itself. Two kinds of calls are timed in turn, so
//! that both see the same machine: failures that are abandoned (the state is
//! full after the first 10,000 and evicts from then on), and plain successes.

use std::time::Instant;

use host_harness::{
    bundled,
    contract::{Invocation, Known, Outcome, Returned},
    gateway::{Background, Hook, RetryHook},
    sandbox::{Component, Entropy, Options, Plugin},
};

const CALLS: usize = 1_000_000;

fn main() {
    let component =
        Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component");
    let options = Options {
        shards: std::num::NonZeroUsize::MIN,
        entropy: Entropy::Seeded(1),
        ..Options::default()
    };
    let plugin = Plugin::start(&component, options).expect("the defaults");
    let mut abandoned = Vec::with_capacity(CALLS);
    let mut succeeded = Vec::with_capacity(CALLS);
    for call in 0..CALLS {
        let id = format!("{call:016x}");
        abandoned.push(nanoseconds(&plugin, &id, true));
        succeeded.push(nanoseconds(&plugin, &id, false));
    }
    println!("nanoseconds a decision, {CALLS} of each kind, in turn");
    println!("{:>12} {:>8} {:>8} {:>8} {:>8} {:>10}", "", "p50", "p99", "p99.9", "p99.99", "max");
    row("abandoned", abandoned);
    row("succeeded", succeeded);
    for metric in plugin.stats().expect("stats") {
        if metric.name.starts_with("calls.") {
            println!("{}: {}", metric.name, metric.value);
        }
    }
}

fn nanoseconds(plugin: &Plugin, id: &str, fails: bool) -> u64 {
    let target = if fails { "abandoned" } else { "succeeded" };
    let invocation = Invocation {
        target,
        request_id: id,
        attempt: 1,
        now_ms: 0,
        time_left_ms: None,
        known: Known::empty(),
    };
    let outcome = Outcome::Returned(Returned { is_error: fails, structured: None });
    let background = Background::none();
    let start = Instant::now();
    let verdict =
        plugin.judge(Hook::ToolPostInvoke, invocation, &outcome, background).expect("a verdict");
    let took = start.elapsed();
    assert_eq!(verdict.retry_delay_ms > 0, fails);
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

fn row(name: &str, mut times: Vec<u64>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let [p50, p99, p999, p9999, max] = [0.5, 0.99, 0.999, 0.9999, 1.0].map(at);
    println!("{name:>12} {p50:>8} {p99:>8} {p999:>8} {p9999:>8} {max:>10}");
}

//! Ten million decisions in one instance of the bundled plugin.
//!
//! Neither the guest's memory nor the host's may grow:
//!
//! ```sh
//! cargo bench --package host-harness --bench ten_million
//! ```

mod resident;

use std::{num::NonZeroUsize, time::Instant};

use host_harness::{
    bundled,
    contract::{Invocation, Known, Outcome, Returned, TransportFailure},
    gateway::{Background, Hook, RetryHook},
    sandbox::{Component, Entropy, Options, Plugin},
};

const DECISIONS: u64 = 10_000_000;
const STEPS: u64 = 10;

fn main() {
    let component =
        Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component");
    let options =
        Options { shards: NonZeroUsize::MIN, entropy: Entropy::Seeded(1), ..Options::default() };
    let plugin = Plugin::start(&component, options).expect("the defaults");
    println!("{:>12} {:>14} {:>14} {:>8}", "decisions", "guest KiB", "resident KiB", "s");
    let started = Instant::now();
    for step in 0..=STEPS {
        let (guest, resident) = (plugin.memory_bytes() >> 10, resident::kib());
        let took = started.elapsed().as_secs_f64();
        println!("{:>12} {guest:>14} {resident:>14} {took:>8.1}", step * DECISIONS / STEPS);
        if step < STEPS {
            let first = step * DECISIONS / STEPS;
            (first..first + DECISIONS / STEPS).for_each(|number| decide(&plugin, number));
        }
    }
    assert!(plugin.faults().is_empty(), "{:?}", plugin.faults());
}

/// Calls that succeed at once, that fail once and succeed, and that fail and
/// are never heard of again; of tools and of resources.
fn decide(plugin: &Plugin, number: u64) {
    let (call, step) = (number / 4, number % 4);
    let request_id = format!("{:016x}", if step == 2 { number - 1 } else { number });
    let outcome = match step {
        1 | 3 => Outcome::Returned(Returned { is_error: true, structured: None }),
        _ if call.is_multiple_of(5) => Outcome::TransportFailed(TransportFailure::BeforeDispatch),
        _ => Outcome::Returned(Returned { is_error: false, structured: None }),
    };
    let hook = if call.is_multiple_of(16) { Hook::ResourcePostFetch } else { Hook::ToolPostInvoke };
    let target = ["search", "fetch", "pay", "file:///etc/hosts"][(call % 4) as usize];
    let invocation = Invocation {
        target,
        request_id: &request_id,
        attempt: if step == 2 { 2 } else { 1 },
        now_ms: number / 1_000,
        time_left_ms: None,
        known: Known::empty(),
    };
    match plugin.judge(hook, invocation, &outcome, Background::none()) {
        Ok(_) | Err(host_harness::sandbox::HookFailure::Refused(_)) => {}
        Err(other) => panic!("{other}"),
    }
}

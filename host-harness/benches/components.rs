//! What a decision costs with one component and with another, by the same host.
//!
//! ```sh
//! cargo bench --package host-harness --bench components -- old.wasm new.wasm
//! ```
//!
//! The two take turns, so that what else the machine does meets both. Of each
//! the fastest of many samples counts: whatever disturbs only makes slower.

mod classic;

use std::{env, fs, hint::black_box, num::NonZeroUsize, path::PathBuf, time::Instant};

use classic::{classic_cases, invocation};
use host_harness::{
    contract::Outcome,
    gateway::{Background, Hook, RetryHook},
    sandbox::{Component, Entropy, Options, Plugin},
};

/// Ten retries, so that a call that fails again and again is mostly retried.
const COMPATIBLE: &str = r#"{"max_retries": 10}"#;
const SAFE: &str = r#"{"profile": "safe", "max_retries": 10, "idempotent": true}"#;

const ROUNDS: usize = 400;
const DECISIONS: u32 = 2_000;

/// One plugin under one outcome.
struct Lane {
    plugin: Plugin,
    now: u64,
    fastest: f64,
}

impl Lane {
    fn new(component: &Component, config: &str) -> Self {
        let options = Options {
            config: config.to_owned(),
            max_tool_retries: 10,
            shards: NonZeroUsize::MIN,
            entropy: Entropy::Seeded(1),
            ..Options::default()
        };
        let plugin = Plugin::start(component, options).expect("a good configuration");
        Self { plugin, now: 0, fastest: f64::INFINITY }
    }

    /// One sample, in nanoseconds for a decision.
    fn sample(&mut self, outcome: &Outcome, background: &Background) {
        let start = Instant::now();
        for _ in 0..DECISIONS {
            self.now += 1;
            let verdict = self.plugin.judge(
                Hook::ToolPostInvoke,
                black_box(invocation(self.now)),
                black_box(outcome),
                background.clone(),
            );
            black_box(verdict).expect("a verdict");
        }
        let nanoseconds = start.elapsed().as_secs_f64() * 1e9 / f64::from(DECISIONS);
        self.fastest = self.fastest.min(nanoseconds);
    }
}

fn main() {
    // `cargo bench` adds flags of its own.
    let paths: Vec<PathBuf> =
        env::args_os().skip(1).filter(|word| word != "--bench").map(PathBuf::from).collect();
    let [old, new] = &paths[..] else {
        println!("nothing to compare: give two components, the old one first");
        return;
    };
    let component = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Component::from_bytes(&path.display().to_string(), &bytes).expect("a component")
    };
    let (old, new) = (component(old), component(new));
    println!("nanoseconds a decision: old, new, new / old");
    for (profile, config) in [("compatible", COMPATIBLE), ("safe", SAFE)] {
        for (name, outcome) in classic_cases() {
            let background = Background::none();
            let (mut old, mut new) = (Lane::new(&old, config), Lane::new(&new, config));
            for _ in 0..ROUNDS {
                old.sample(&outcome, &background);
                new.sample(&outcome, &background);
            }
            println!(
                "{profile:<10} {name:<10} {:>7.0} {:>7.0} {:>6.3}",
                old.fastest,
                new.fastest,
                new.fastest / old.fastest
            );
        }
    }
}

//! The price of all limits: the bundled plugin in the sandbox, beside the same
//! component in a store of wasmtime without any limit.
//!
//! Without limits there are no epochs, no bounds on memory, tables, instances,
//! handles, results, text and host calls, and nobody checks the verdict. Both
//! have the same lock around the instance and the same host functions.
//!
//! ```sh
//! cargo bench --package host-harness --bench limits
//! ```

mod unlimited;

use std::{hint::black_box, num::NonZeroUsize, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use host_harness::{
    bundled,
    contract::{Invocation, Known, Outcome, Returned, Structured},
    gateway::{Background, Hook, RetryHook},
    sandbox::{Component, Entropy, Options, Plugin},
};
use unlimited::Unlimited;

/// Ten retries, so that a call that fails again and again is mostly retried.
const CONFIG: &str = r#"{"max_retries": 10}"#;
const CEILING: u32 = 10;

fn limited() -> Plugin {
    let component =
        Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component");
    let options = Options {
        config: CONFIG.to_owned(),
        max_tool_retries: CEILING,
        shards: NonZeroUsize::MIN,
        entropy: Entropy::Seeded(1),
        ..Options::default()
    };
    Plugin::start(&component, options).expect("a good configuration")
}

fn invocation(now_ms: u64) -> Invocation<'static> {
    Invocation {
        target: "search",
        request_id: "0123456789abcdef",
        attempt: 1,
        now_ms,
        time_left_ms: None,
        known: Known::empty(),
    }
}

fn limits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limits");
    let returned = |is_error, status_code: Option<i32>| {
        let structured = status_code.map(|_| Structured { is_error: false, status_code });
        Outcome::Returned(Returned { is_error, structured })
    };
    for (name, outcome) in [
        ("isError", returned(true, None)),
        ("status 500", returned(false, Some(500))),
        ("no error", returned(false, None)),
        ("status 200", returned(false, Some(200))),
    ] {
        let unlimited = Unlimited::start(CONFIG, CEILING);
        let mut now = 0;
        group.bench_function(format!("none/{name}"), |bencher| {
            bencher.iter(|| {
                now += 1;
                unlimited.judge(black_box(invocation(now)), black_box(&outcome))
            });
        });
        let plugin = limited();
        let background = Background::none();
        let mut now = 0;
        group.bench_function(format!("all/{name}"), |bencher| {
            bencher.iter(|| {
                now += 1;
                plugin.judge(
                    Hook::ToolPostInvoke,
                    black_box(invocation(now)),
                    black_box(&outcome),
                    background.clone(),
                )
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = limits
}
criterion_main!(benches);

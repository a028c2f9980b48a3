//! What a decision costs: through the sandbox, natively, and an empty component call as the floor.
//!
//! Everything runs in one process, so compare the figures of one run with each other.

mod classic;
mod floor;

use std::{hint::black_box, sync::Arc, time::Duration};

use classic::{classic_cases, invocation};
use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use host_harness::{
    bundled,
    contract::{Invocation, Outcome},
    gateway::{Background, Content, Hook, RetryHook},
    mcp::ResultContent,
    sandbox::{Component, Entropy, Options, Plugin},
};
use retry_with_backoff::{
    Millis, RetryPlugin,
    config::Retries,
    context::{self, Silent},
    decide, detect,
    state::Kind,
};
use serde_json::json;

/// Ten retries, so that a call that fails again and again is mostly retried.
const CONFIG: &str = r#"{"max_retries": 10, "check_text_content": CHECK}"#;

/// The same with everything on that the recommended profile turns on.
const SAFE: &str = r#"{"profile": "safe", "max_retries": 10, "idempotent": true}"#;

fn sandboxed(config: &str) -> Plugin {
    let component =
        Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component");
    let options = Options {
        config: config.to_owned(),
        max_tool_retries: 10,
        shards: std::num::NonZeroUsize::MIN,
        entropy: Entropy::Seeded(1),
        ..Options::default()
    };
    Plugin::start(&component, options).expect("a good configuration")
}

fn judged_by_sandbox(
    group: &mut BenchmarkGroup<'_, WallTime>,
    kind: &str,
    config: &str,
    name: &str,
    outcome: Outcome,
) {
    let plugin = sandboxed(config);
    let background = Background::none();
    let mut now = 0;
    group.bench_function(format!("{kind}/{name}"), |bencher| {
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

fn native_outcome(outcome: &Outcome) -> detect::Outcome {
    match outcome {
        Outcome::Returned(returned) => detect::Outcome::Returned {
            is_error: returned.is_error,
            structured: returned.structured.map(|structured| detect::Structured {
                is_error: structured.is_error,
                status_code: structured.status_code,
            }),
        },
        other => unreachable!("not a classic case: {other:?}"),
    }
}

fn judged_natively(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, outcome: &Outcome) {
    let config = CONFIG.replace("CHECK", "false");
    let (mut plugin, _) = RetryPlugin::new(&config, Retries(10), 1).expect("a good configuration");
    let outcome = native_outcome(outcome);
    let mut now = 0;
    group.bench_function(format!("native/{name}"), |bencher| {
        bencher.iter(|| {
            now += 1;
            let Invocation { target, request_id, attempt, .. } = black_box(invocation(now));
            // The guest owns its texts as well: the host writes them into its memory.
            let invocation = decide::Invocation {
                kind: Kind::Tool,
                target: target.to_owned(),
                request_id: request_id.to_owned(),
                attempt,
                now: Millis(now),
                time_left: None,
                known: context::Known::default(),
            };
            plugin.handle(invocation, black_box(outcome), &Silent)
        });
    });
}

fn classic(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    floor::empty_call(&mut group);
    floor::two_texts(&mut group);
    for (name, outcome) in classic_cases() {
        let compatible = CONFIG.replace("CHECK", "false");
        judged_by_sandbox(&mut group, "sandbox", &compatible, name, outcome);
        judged_by_sandbox(&mut group, "sandbox, safe", SAFE, name, outcome);
        judged_natively(&mut group, name, &outcome);
    }
    group.finish();
}

/// The cost must not grow with the size of a result, unless its texts are read.
fn result_size(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("result size");
    for check_text in [false, true] {
        let plugin = sandboxed(&CONFIG.replace("CHECK", &check_text.to_string()));
        for kib in [1, 64, 1023] {
            let text = json!({ "note": "x".repeat(kib << 10) }).to_string();
            let result = json!({ "content": [{ "type": "text", "text": text }] });
            let result = Arc::new(ResultContent::of(&result));
            let mut now = 0;
            let mode = if check_text { "texts read" } else { "texts not read" };
            group.bench_function(format!("{mode}/{kib} KiB"), |bencher| {
                bencher.iter(|| {
                    now += 1;
                    let content: Arc<dyn Content> = result.clone();
                    let background = Background { content: Some(content), ..Background::none() };
                    plugin.judge(
                        Hook::ToolPostInvoke,
                        invocation(now),
                        &result.outcome(),
                        background,
                    )
                });
            });
        }
    }
    group.finish();
}

/// Why the contract lets a guest read content by function and not by handle.
fn content_access(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("content_access");
    floor::content_by_function(&mut group);
    floor::content_by_handle(&mut group);
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = classic, result_size, content_access
}
criterion_main!(benches);

//! The bundled component, compiled once, and short ways to ask it.

use std::{
    num::NonZeroUsize,
    sync::{Arc, LazyLock},
    time::Duration,
};

use host_harness::{
    bundled,
    contract::{Invocation, Issue, Known, Outcome, Returned, Structured, Verdict},
    gateway::{Background, Content, Hook, RetryHook},
    mcp::ResultContent,
    sandbox::{Component, Entropy, Options, Plugin, StartError},
};
use serde_json::Value;

static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
    Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component")
});

/// The plugin with this configuration and this ceiling, one shard, a fixed seed.
pub fn try_start(config: &str, ceiling: u32) -> Result<Plugin, StartError> {
    try_start_shards(config, ceiling, NonZeroUsize::MIN)
}

/// A good configuration in several shards.
pub fn start_shards(config: &str, shards: usize) -> Plugin {
    let shards = NonZeroUsize::new(shards).expect("at least one");
    try_start_shards(config, 10, shards).expect("a good configuration")
}

fn try_start_shards(
    config: &str,
    ceiling: u32,
    shards: NonZeroUsize,
) -> Result<Plugin, StartError> {
    let mut options = Options {
        config: config.to_owned(),
        max_tool_retries: ceiling,
        shards,
        entropy: Entropy::Seeded(42),
        ..Options::default()
    };
    // A test machine that is busy elsewhere is not what is tested here.
    options.limits.call_time = Duration::from_secs(60);
    Plugin::start(&COMPONENT, options)
}

/// The same for a configuration that is good, with room for ten retries.
pub fn start(config: &str) -> Plugin {
    try_start(config, 10).expect("a good configuration")
}

/// The issues of a configuration that is refused.
pub fn issues(config: &str) -> Vec<Issue> {
    match try_start(config, 10) {
        Err(StartError::Config(issues)) => issues,
        Err(other) => panic!("{config}: {other}"),
        Ok(_) => panic!("{config}: accepted"),
    }
}

/// A first attempt at time 0, without a deadline or a trace.
pub fn invocation<'a>(target: &'a str, request_id: &'a str) -> Invocation<'a> {
    Invocation {
        target,
        request_id,
        attempt: 1,
        now_ms: 0,
        time_left_ms: None,
        known: Known::empty(),
    }
}

/// Judges a result (any JSON) as one attempt of (target, request id).
pub fn judge(plugin: &Plugin, target: &str, request_id: &str, result: &Value) -> Verdict {
    let content = Arc::new(ResultContent::of(result));
    let outcome = content.outcome();
    let content: Arc<dyn Content> = content;
    let background = Background { content: Some(content), ..Background::none() };
    judge_with(plugin, invocation(target, request_id), &outcome, background)
}

/// Judges an outcome that has no body.
pub fn judge_outcome(plugin: &Plugin, invocation: Invocation<'_>, outcome: &Outcome) -> Verdict {
    judge_with(plugin, invocation, outcome, Background::none())
}

/// Judges an outcome of which the plugin may ask more.
pub fn judge_with(
    plugin: &Plugin,
    invocation: Invocation<'_>,
    outcome: &Outcome,
    background: Background,
) -> Verdict {
    let known = background.known(invocation.known.contains(Known::TRACE));
    let invocation = Invocation { known, ..invocation };
    plugin.judge(Hook::ToolPostInvoke, invocation, outcome, background).expect("a verdict")
}

/// `{"isError": true}`.
pub const FAILED: Outcome = Outcome::Returned(Returned { is_error: true, structured: None });

/// A result without any sign of failure.
pub const OK: Outcome = Outcome::Returned(Returned { is_error: false, structured: None });

/// A result that is no error but carries a status.
pub fn status(code: i32) -> Outcome {
    let structured = Some(Structured { is_error: false, status_code: Some(code) });
    Outcome::Returned(Returned { is_error: false, structured })
}

/// A metric of the plugin by its name.
pub fn metric(plugin: &Plugin, name: &str) -> u64 {
    let metrics = plugin.stats().expect("stats");
    metrics.iter().find(|metric| metric.name == name).expect("a metric of this name").value
}

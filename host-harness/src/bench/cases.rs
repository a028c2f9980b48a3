//! The plugin under measurement, and what it is asked.

use std::{num::NonZeroUsize, sync::OnceLock, time::Duration};

use host_harness::{
    bundled,
    contract::{Invocation, Known, Outcome, Returned, Structured},
    sandbox::{Component, Entropy, Options, Plugin},
};

/// Ten retries, so that a call that fails again and again is mostly retried.
pub const RETRIES: u32 = 10;

/// The configuration in force, here and for the peer.
pub fn config(check_text: bool) -> String {
    format!(r#"{{"max_retries": {RETRIES}, "check_text_content": {check_text}}}"#)
}

/// The bundled component with one shard, or with one for each core.
pub fn plugin(config: String, shards: NonZeroUsize) -> anyhow::Result<Plugin> {
    plugin_within(config, shards, Options::default().limits.memory_bytes)
}

/// The same with so many bytes of memory for each shard.
pub fn plugin_within(
    config: String,
    shards: NonZeroUsize,
    memory_bytes: usize,
) -> anyhow::Result<Plugin> {
    let mut options = Options {
        config,
        max_tool_retries: RETRIES,
        shards,
        entropy: Entropy::Seeded(1),
        ..Options::default()
    };
    options.limits.memory_bytes = memory_bytes;
    // What is measured is the plugin, not whether this machine is busy elsewhere.
    options.limits.call_time = Duration::from_secs(10);
    Ok(Plugin::start(component()?, options)?)
}

/// The bundled component, compiled once.
fn component() -> anyhow::Result<&'static Component> {
    static COMPILED: OnceLock<Component> = OnceLock::new();
    if let Some(component) = COMPILED.get() {
        return Ok(component);
    }
    let component = Component::from_bytes(bundled::NAME, bundled::COMPONENT)?;
    Ok(COMPILED.get_or_init(|| component))
}

/// An attempt of a call to `search`.
pub fn invocation(request_id: &str, attempt: u32, now_ms: u64) -> Invocation<'_> {
    let known = Known::empty();
    Invocation { target: "search", request_id, attempt, now_ms, time_left_ms: None, known }
}

/// The id of a call that is alone.
pub const REQUEST_ID: &str = "0123456789abcdef";

/// A result without text.
pub fn returned(is_error: bool, status_code: Option<i32>) -> Outcome {
    let structured = status_code.map(|_| Structured { is_error: false, status_code });
    Outcome::Returned(Returned { is_error, structured })
}

/// The four cases of the original plugin's benchmark.
pub fn classic() -> [(&'static str, Outcome); 4] {
    [
        ("isError", returned(true, None)),
        ("status 500", returned(false, Some(500))),
        ("no error", returned(false, None)),
        ("status 200", returned(false, Some(200))),
    ]
}

//! The component that was built together with this host.

use std::num::NonZeroUsize;

use crate::sandbox::{Component, Entropy, LoadError, Options, Plugin, StartError};

/// `retry_with_backoff.wasm`.
pub const COMPONENT: &[u8] = include_bytes!(env!("RETRY_WITH_BACKOFF_WASM"));

/// What to call it in messages.
pub const NAME: &str = "retry_with_backoff.wasm (bundled)";

/// Any number would do; this one shows a good spread of delays.
const SEED: u64 = 7;

/// Why the bundled plugin does not start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The component cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It does not take its configuration, or broke.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// The bundled plugin in one instance, which draws the same delays in every run.
///
/// # Errors
/// `config` is not a configuration of the plugin.
pub fn seeded(config: &str, max_tool_retries: u32) -> Result<Plugin, NotStarted> {
    let component = Component::from_bytes(NAME, COMPONENT)?;
    let options = Options {
        config: config.to_owned(),
        max_tool_retries,
        shards: NonZeroUsize::MIN,
        entropy: Entropy::Seeded(SEED),
        ..Options::default()
    };
    Ok(Plugin::start(&component, options)?)
}

//! The component that was built together with this host.

/// `retry_with_backoff.wasm`.
pub const COMPONENT: &[u8] = include_bytes!(env!("RETRY_WITH_BACKOFF_WASM"));

/// What to call it in messages.
pub const NAME: &str = "retry_with_backoff.wasm (bundled)";

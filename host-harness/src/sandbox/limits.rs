//! What a guest may use.

use std::time::Duration;

/// Bounds on one instance and on one call of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time of one call into the guest; default 100 ms. A decision
    /// takes well under a microsecond; this is for the one that never ends.
    pub call_time: Duration,
    /// Size of its linear memory in bytes; default 64 MiB.
    pub memory_bytes: usize,
    /// Entries of one of its tables; default 10,000.
    pub table_elements: usize,
    /// Bytes that one call of a hook may return; default 64 KiB.
    pub hook_result_bytes: usize,
    /// Bytes that `describe`, `configure` or `stats` may return; default 1 MiB.
    pub lifecycle_result_bytes: usize,
    /// The longest text item, in bytes, that it may read; default 1 MiB.
    pub text_bytes: usize,
    /// The longest delay that it may ask for; default 1 hour.
    pub max_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            call_time: Duration::from_millis(100),
            memory_bytes: 64 << 20,
            table_elements: 10_000,
            hook_result_bytes: 64 << 10,
            lifecycle_result_bytes: 1 << 20,
            text_bytes: 1 << 20,
            max_delay: Duration::from_secs(3_600),
        }
    }
}

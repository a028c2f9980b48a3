//! What a guest may use.

use std::time::Duration;

/// Bounds on one instance and on one call of it.
///
/// Those on memory and tables that a component's own text answers for are
/// checked before anything of it runs; see [`Demand`](super::Demand).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time of one call into the guest; default 100 ms. A decision
    /// takes well under a microsecond; this is for the one that never ends.
    /// It is kept to about 10 ms. Where the machine is so busy that the guest
    /// did not run for half of it (known on Linux only), it goes on until it
    /// has, and for twenty times as long at the most.
    pub call_time: Duration,
    /// What its calls may take on average, of about the last sixteen of a
    /// shard; default 25 ms. A plugin that takes longer gets a strike; see
    /// [`Replacement`](super::Replacement). It is far above what even a starved
    /// machine makes of a quick plugin, and far below [`call_time`](Self::call_time).
    pub average_time: Duration,
    /// How long a call waits for its turn at an instance that others keep busy;
    /// default 1 s. Then it goes on without a verdict
    /// ([`Breakage::Busy`](super::Breakage::Busy)): no result is held back for
    /// long by a plugin that is slow.
    pub turn_time: Duration,
    /// Size of one of its linear memories in bytes; default 64 MiB.
    pub memory_bytes: usize,
    /// Number of linear memories; default 1.
    pub memories: usize,
    /// Entries of one of its tables; default 10,000.
    pub table_elements: usize,
    /// Number of tables; default 8.
    pub tables: usize,
    /// Number of core instances that make the component up; default 16.
    pub instances: usize,
    /// Handles of the component model that are alive at a time; default 64.
    /// The contract has no resources, so an honest guest has none.
    pub handles: usize,
    /// Bytes that one call of a hook may return, or give to the host in one
    /// call of a host function; default 64 KiB.
    pub hook_result_bytes: usize,
    /// Bytes that `describe`, `configure`, `config-schema` or `stats` may
    /// return; default 1 MiB.
    pub lifecycle_result_bytes: usize,
    /// Bytes of a configuration schema; default 256 KiB.
    pub schema_bytes: usize,
    /// The longest text, in bytes, that it may read; default 1 MiB. To the
    /// guest, a longer one is not there.
    pub text_bytes: usize,
    /// Bytes of text that it may read in one call, all taken together;
    /// default 1 MiB. To the guest, what would exceed it is not there. The
    /// dearest JSON of that size takes about 10 ms to read: a server that answers
    /// with it does not make the plugin slow by [`average_time`](Self::average_time).
    pub text_bytes_per_call: usize,
    /// Texts of one answer; default 1,000. To the guest, further ones are not there.
    pub texts: usize,
    /// Random bytes that it may draw in one call; default 64 KiB. A guest that
    /// wants more is stopped.
    pub random_bytes_per_call: usize,
    /// Calls of host functions, of whatever interface, in one call of the
    /// guest; default 10,000. A guest that makes more is stopped.
    pub host_calls: u32,
    /// The longest delay that it may ask for; default 1 hour.
    pub max_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            call_time: Duration::from_millis(100),
            average_time: Duration::from_millis(25),
            turn_time: Duration::from_secs(1),
            memory_bytes: 64 << 20,
            memories: 1,
            table_elements: 10_000,
            tables: 8,
            instances: 16,
            handles: 64,
            hook_result_bytes: 64 << 10,
            lifecycle_result_bytes: 1 << 20,
            schema_bytes: 256 << 10,
            text_bytes: 1 << 20,
            text_bytes_per_call: 1 << 20,
            texts: 1_000,
            random_bytes_per_call: 64 << 10,
            host_calls: 10_000,
            max_delay: Duration::from_secs(3_600),
        }
    }
}

/// Bounds on what is made of a file before there is an instance of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadLimits {
    /// Size of the file in bytes; default 16 MiB.
    pub wasm_bytes: usize,
    /// Bytes of its largest function; default 256 KiB. The compiler takes
    /// hundreds of bytes of memory for each of them.
    pub function_bytes: usize,
    /// Number of its functions; default 50,000.
    pub functions: usize,
    /// Local variables of one function, without its parameters; default 5,000.
    pub locals: usize,
    /// Wall-clock time that compilation may take; default 30 s. The compiler
    /// cannot be interrupted: what takes longer is refused, and its thread
    /// ends by itself. Until then nothing else is compiled.
    pub compile_time: Duration,
    /// Stack, in bytes, that the guest may use; default 256 KiB, at most
    /// [`LoadLimits::MOST_STACK_BYTES`].
    pub stack_bytes: usize,
    /// Whether a call can be stopped when its time is over; default true. If
    /// not, a guest that never returns keeps its shard, and a thread, for ever:
    /// only for measuring what it costs to be able to.
    pub interruptible: bool,
}

impl LoadLimits {
    /// 1 MiB. A guest runs on the stack of the thread that calls it, and the
    /// least that a thread here has is 2 MiB.
    pub const MOST_STACK_BYTES: usize = 1 << 20;
}

impl Default for LoadLimits {
    fn default() -> Self {
        Self {
            wasm_bytes: 16 << 20,
            function_bytes: 256 << 10,
            functions: 50_000,
            locals: 5_000,
            compile_time: Duration::from_secs(30),
            stack_bytes: 256 << 10,
            interruptible: true,
        }
    }
}

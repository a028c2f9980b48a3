//! How much memory an instance takes, whatever callers do.

use std::{num::NonZeroUsize, time::Duration};

use host_harness::{
    bundled,
    gateway::{Background, Hook, RetryHook},
    sandbox::{Component, Entropy, Options, Plugin},
};

use crate::plugin_under_test::{FAILED, invocation};

/// The documented bound of an instance with the default `max_tracked_calls`.
const BOUND: usize = 4 << 20;

#[test]
fn a_million_calls_that_are_never_heard_of_again_stay_within_the_documented_bound() {
    let component =
        Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("the bundled component");
    let mut options =
        Options { shards: NonZeroUsize::MIN, entropy: Entropy::Seeded(1), ..Options::default() };
    options.limits.memory_bytes = BOUND;
    options.limits.call_time = Duration::from_secs(60);
    let plugin = Plugin::start(&component, options).expect("the defaults");
    for call in 0..1_000_000_u32 {
        // Names of the usual length. Their bytes are kept, so longer ones take more.
        let id = format!("{call:032x}");
        let judged = plugin.judge(
            Hook::ToolPostInvoke,
            invocation("a_tool_with_a_name", &id),
            &FAILED,
            Background::none(),
        );
        assert!(judged.expect("room").retry_delay_ms > 0, "call {call}");
    }
}

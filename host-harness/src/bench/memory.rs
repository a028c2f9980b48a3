//! What an instance needs of memory: the least limit within which it does its
//! work, found by halving. That is exact, and needs no look inside.

use std::num::NonZeroUsize;

use host_harness::{
    gateway::{Background, Hook, RetryHook},
    sandbox::Options,
};

use super::{
    Effort,
    cases::{invocation, plugin_within, returned},
    figure::{Figure, Unit},
};

/// WebAssembly's unit of memory, in bytes.
const PAGE: usize = 64 << 10;

pub fn measure(effort: Effort) -> anyhow::Result<Vec<Figure>> {
    const LIVE: u32 = 100_000;
    let idle = least_bytes(LIVE, 1)?;
    let full = least_bytes(LIVE, LIVE)?;
    let each = full as f64 / f64::from(LIVE);
    let abandoned = least_bytes(10_000, effort.abandoned)?;
    let bytes = |name: &str, value: f64| Figure::exact(name, Unit::Bytes, value);
    let count = effort.abandoned;
    Ok(vec![
        bytes("memory/room for 100000 calls, none alive", idle as f64),
        bytes("memory/room for 100000 calls, all alive", full as f64),
        bytes("memory/each of 100000 live calls", each),
        bytes(&format!("memory/{count} abandoned calls, room for 10000"), abandoned as f64),
    ])
}

/// The least bytes of memory in which an instance with room for so many calls
/// gets through so many that fail once and are never heard of again.
fn least_bytes(room: u32, calls: u32) -> anyhow::Result<usize> {
    let most = Options::default().limits.memory_bytes / PAGE;
    // Not enough at the lower end, enough at the upper one.
    let (mut low, mut high) = (0, most);
    anyhow::ensure!(gets_through(room, calls, most), "{most} pages are not enough");
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if gets_through(room, calls, middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high * PAGE)
}

fn gets_through(room: u32, calls: u32, pages: usize) -> bool {
    let config = format!(r#"{{"max_tracked_calls": {room}}}"#);
    let Ok(plugin) = plugin_within(config, NonZeroUsize::MIN, pages * PAGE) else { return false };
    (0..calls).all(|call| {
        let id = format!("{call:016x}");
        let invocation = invocation(&id, 1, 0);
        let failed = returned(true, None);
        plugin.judge(Hook::ToolPostInvoke, invocation, &failed, Background::none()).is_ok()
    })
}

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
    let Effort { live, abandoned, .. } = effort;
    let idle = least_bytes(live, 1)?;
    let full = least_bytes(live, live)?;
    let many = least_bytes(10_000, abandoned)?;
    let bytes = |name: String, value: f64| Figure::exact(name, Unit::Bytes, value);
    Ok(vec![
        bytes(format!("memory/room for {live} calls, none alive"), idle as f64),
        bytes(format!("memory/room for {live} calls, all alive"), full as f64),
        bytes(format!("memory/each of {live} live calls"), full as f64 / f64::from(live)),
        bytes(format!("memory/{abandoned} abandoned calls, room for 10000"), many as f64),
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

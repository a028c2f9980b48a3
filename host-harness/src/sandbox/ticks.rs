//! How long guests run, counted in ticks.
//!
//! A decision takes well under a microsecond, and reading a clock before and
//! after would make it a tenth dearer. One thread ticks for all instead, and a
//! call reads a counter: what takes long spans many ticks, and of what is short
//! one in ten thousand spans one. So the average over several calls is right,
//! though the figure of a single one is not. A process that is stopped or
//! throttled as a whole does not tick, so that nothing is held against a guest
//! in that time.

use std::{
    sync::{
        Mutex, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use wasmtime::Engine;

/// The time between two ticks, which is also the length of wasmtime's epochs:
/// how exactly a guest's time is bounded.
pub(super) const TICK: Duration = Duration::from_millis(5);

static TICKS: AtomicU64 = AtomicU64::new(0);
static CLOCK: Once = Once::new();
/// The engines whose epochs tick along.
static ENGINES: Mutex<Vec<Engine>> = Mutex::new(Vec::new());

/// The number of ticks so far.
#[inline]
pub(super) fn now() -> u64 {
    TICKS.load(Ordering::Relaxed)
}

/// How many ticks from now are surely not over before `time` has passed.
pub(super) fn within(time: Duration) -> u64 {
    // One more, for the current one may end at once.
    let ticks = time.as_nanos().div_ceil(TICK.as_nanos());
    // Far from overflow when it is added to a present count.
    u64::try_from(ticks).unwrap_or(u64::MAX / 2).min(u64::MAX / 2).saturating_add(1)
}

/// From now on the epochs of this engine are ticks.
pub(super) fn drive(engine: &Engine) {
    ENGINES.lock().unwrap_or_else(PoisonError::into_inner).push(engine.clone());
    CLOCK.call_once(|| {
        std::thread::Builder::new()
            .name("ticks".to_owned())
            .spawn(|| {
                loop {
                    std::thread::sleep(TICK);
                    TICKS.fetch_add(1, Ordering::Relaxed);
                    for engine in ENGINES.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                        engine.increment_epoch();
                    }
                }
            })
            .expect("a process that cannot start one thread cannot run a gateway");
    });
}

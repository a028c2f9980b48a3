//! The wasmtime engine of this process, and its notion of time.

use std::{sync::LazyLock, time::Duration};

use wasmtime::{Config, Engine};

/// Length of an epoch: how exactly a guest's time is measured.
const EPOCH: Duration = Duration::from_millis(5);

/// Stack that a guest may use, in bytes.
const STACK: usize = 256 << 10;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .wasm_component_model(true)
        // Nobody calls guests concurrently within one store, and the machinery for it costs.
        .concurrency_support(false);
    let engine = Engine::new(&config).expect("this configuration suits every supported machine");
    let clock = engine.clone();
    std::thread::Builder::new()
        .name("epochs".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(EPOCH);
                clock.increment_epoch();
            }
        })
        .expect("a process that cannot start one thread cannot run a gateway");
    engine
});

/// One engine serves all plugins of a process: it holds compiled code and the
/// epoch counter, nothing that belongs to a plugin.
pub(super) fn engine() -> &'static Engine {
    &ENGINE
}

/// How many epochs from now are surely not over before `time` has passed.
pub(super) fn epochs(time: Duration) -> u64 {
    // One more, for the current epoch may end at once.
    let epochs = time.as_nanos().div_ceil(EPOCH.as_nanos());
    u64::try_from(epochs).unwrap_or(u64::MAX - 1).saturating_add(1)
}

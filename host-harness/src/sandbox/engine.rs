//! The wasmtime engines of this process.

use std::sync::{Mutex, PoisonError};

use wasmtime::{Config, Engine};

use super::{LoadLimits, error::LoadProblem, ticks};

/// All that tells one engine from another: the stack that guests get, and
/// whether they can be interrupted.
type Key = (usize, bool);

static ENGINES: Mutex<Vec<(Key, Engine)>> = Mutex::new(Vec::new());

/// The engine for these limits. It serves all plugins of a process: it holds
/// compiled code and the epoch counter, nothing that belongs to a plugin.
pub(super) fn engine(limits: &LoadLimits) -> Result<Engine, LoadProblem> {
    let &LoadLimits { stack_bytes, interruptible, .. } = limits;
    let key = (stack_bytes, interruptible);
    let most = LoadLimits::MOST_STACK_BYTES;
    if !(1..=most).contains(&stack_bytes) {
        return Err(LoadProblem::WrongStack { bytes: stack_bytes, most });
    }
    let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, engine)) = engines.iter().find(|(known, _)| *known == key) {
        return Ok(engine.clone());
    }
    let engine = start(key);
    engines.push((key, engine.clone()));
    Ok(engine)
}

fn start((stack_bytes, interruptible): Key) -> Engine {
    let mut config = Config::new();
    config
        .epoch_interruption(interruptible)
        .max_wasm_stack(stack_bytes)
        .wasm_component_model(true)
        // Nobody calls guests concurrently within one store, and the machinery for it costs.
        .concurrency_support(false);
    let engine = Engine::new(&config).expect("this configuration suits every supported machine");
    ticks::drive(&engine);
    engine
}

//! Compilation within a budget of time.

use std::{
    sync::{Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use wasmtime::{Engine, component::Component};

use super::{error::LoadProblem, one_line::one_line};

/// A compilation that was given up and may still be going on.
static ABANDONED: Mutex<Option<JoinHandle<()>>> = Mutex::new(None);

/// Compiles a component, or gives up after `budget`.
///
/// Cranelift cannot be interrupted, so that what takes too long goes on in a
/// thread that nobody waits for. Until that ends nothing else is compiled.
pub(super) fn compile(
    engine: &Engine,
    bytes: &[u8],
    budget: Duration,
) -> Result<Component, LoadProblem> {
    // Locked for the whole time: components are loaded one at a time anyhow,
    // and two that take too long cannot slip past each other.
    let mut abandoned = ABANDONED.lock().unwrap_or_else(PoisonError::into_inner);
    if abandoned.as_ref().is_some_and(|thread| !thread.is_finished()) {
        return Err(LoadProblem::CompilerBusy);
    }
    let (engine, bytes) = (engine.clone(), bytes.to_owned());
    let (done, compiled) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("compile".to_owned())
        // `from_binary` never takes precompiled code, whatever the bytes pretend to be.
        .spawn(move || drop(done.send(Component::from_binary(&engine, &bytes))))
        .map_err(LoadProblem::Unreadable)?;
    match compiled.recv_timeout(budget) {
        Ok(component) => component.map_err(|error| LoadProblem::Invalid(one_line(&error))),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            *abandoned = Some(thread);
            Err(LoadProblem::CompilesTooSlowly(budget))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(LoadProblem::Invalid("the compiler failed over it".to_owned()))
        }
    }
}

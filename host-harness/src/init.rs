//! The first process of a container has two duties that no other one has: it inherits
//! whatever the others leave behind, and has to take note of its end; and signals do
//! to it only what it asked for. The gateway is started below such a process.

use std::{
    env, io,
    io::IsTerminal,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitCode, ExitStatus},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use tokio::{
    runtime::Builder,
    select,
    signal::unix::{SignalKind, signal},
};

/// Does the duties of the first process, if this is one, until the gateway has ended;
/// how that ended. None in every other process, which goes on.
///
/// # Errors
/// The program cannot be started again.
pub(super) fn first_process() -> anyhow::Result<Option<ExitCode>> {
    if std::process::id() != 1 {
        return Ok(None);
    }
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(serve()).map(Some)
}

async fn serve() -> anyhow::Result<ExitCode> {
    let mut ended = signal(SignalKind::child())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    // Who sits at a terminal is heard by both.
    let at_a_terminal = io::stdin().is_terminal();
    let gateway = start(at_a_terminal)?;
    let id = Pid::from_child(&gateway);
    let tell = |signal| {
        // It may have ended since.
        let _ = kill_process(id, signal);
    };
    loop {
        select! {
            _ = ended.recv() => if let Some(code) = bury(id) { return Ok(code) },
            _ = terminate.recv() => tell(Signal::TERM),
            _ = interrupt.recv() => if !at_a_terminal { tell(Signal::INT) },
            _ = hang_up.recv() => tell(Signal::HUP),
        }
    }
}

fn start(at_a_terminal: bool) -> anyhow::Result<Child> {
    let program = env::current_exe().context("cannot find our own program")?;
    let mut command = Command::new(&program);
    command.args(env::args_os().skip(1));
    if !at_a_terminal {
        command.process_group(0);
    }
    command.spawn().with_context(|| format!("cannot start {}", program.display()))
}

/// Takes note of all who have ended; how the gateway did, if it is among them.
fn bury(gateway: Pid) -> Option<ExitCode> {
    let mut code = None;
    while let Ok(Some((id, status))) = wait(WaitOptions::NOHANG) {
        if id == gateway {
            let status = ExitStatus::from_raw(status.as_raw());
            // What shells make of the end by a signal.
            let killed = status.signal().map(|signal| 128 + signal);
            let number = status.code().or(killed).and_then(|number| u8::try_from(number).ok());
            code = Some(number.map_or(ExitCode::FAILURE, ExitCode::from));
        }
    }
    code
}

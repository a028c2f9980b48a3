//! An upstream server as a child process.

use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{Instant, timeout, timeout_at},
};

use super::process_group::ProcessGroup;

/// How long a server may take to say the rest and end after its input was closed.
pub(super) const CLOSED: Duration = Duration::from_secs(2);
/// How long it may take to end after SIGTERM.
const TERMINATED: Duration = Duration::from_secs(1);

/// A server that could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the server `{command}`")]
pub struct StartError {
    /// As the operator wrote it.
    pub command: String,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

/// How a server is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerCommand {
    /// The program, and its arguments.
    pub words: Vec<OsString>,
    /// What its environment has beside the gateway's own.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it runs; none for where the gateway does.
    pub folder: Option<PathBuf>,
}

impl From<Vec<OsString>> for ServerCommand {
    fn from(words: Vec<OsString>) -> Self {
        Self { words, ..Self::default() }
    }
}

impl<const N: usize> From<[OsString; N]> for ServerCommand {
    fn from(words: [OsString; N]) -> Self {
        Vec::from(words).into()
    }
}

/// A running server that speaks MCP on its standard streams. Killed when
/// dropped, with all processes of its group.
#[derive(Debug)]
pub struct Server {
    child: Child,
    group: ProcessGroup,
    command: String,
}

impl Server {
    /// Starts a command and returns it with what it says and what it hears.
    /// Its stderr is ours.
    ///
    /// # Errors
    /// The operating system does not start it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(command: &ServerCommand) -> Result<(Self, (ChildStdout, ChildStdin)), StartError> {
        let nothing = OsString::new();
        let (program, arguments) = command.words.split_first().unwrap_or((&nothing, &[]));
        let name = program.to_string_lossy().into_owned();
        let mut builder = Command::new(program);
        builder.envs(command.environment.iter().cloned());
        if let Some(folder) = &command.folder {
            builder.current_dir(folder);
        }
        builder.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // A group of its own: Ctrl-C is ours to hear, and what a launcher such
        // as npx starts ends with it.
        #[cfg(unix)]
        builder.process_group(0);
        let failed = |source| StartError { command: name.clone(), source };
        let mut child = builder.spawn().map_err(failed)?;
        let group = ProcessGroup::led_by(&child);
        let (Some(stdout), Some(stdin)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(failed(io::Error::other("its standard streams are missing")));
        };
        Ok((Self { child, group, command: name }, (stdout, stdin)))
    }

    /// The command's name, as the operator wrote it.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Waits until the server has failed: ended by a signal or with another code than
    /// 0. One that ends well may be a launcher whose server goes on.
    pub async fn failed(&mut self) {
        if self.child.wait().await.is_ok_and(|status| status.success()) {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for the end of a server whose input was closed at that time, and of
    /// every process in its group: 2 s for it to end by itself, then SIGTERM and 1 s,
    /// then SIGKILL. None if the server itself had to be asked. A process that has left
    /// the group (`setsid`) is not the gateway's.
    ///
    /// # Errors
    /// The operating system does not know the child.
    pub async fn end(mut self, closed: Instant) -> io::Result<Option<ExitStatus>> {
        let by_itself = timeout_at(closed + CLOSED, self.child.wait()).await;
        if self.group.is_empty() {
            return by_itself.map_or(Ok(None), |status| status.map(Some));
        }
        self.group.terminate();
        let ended = async {
            // A launcher may have ended at once, and what it started lives on.
            let status = self.child.wait().await;
            self.group.emptied().await;
            status
        };
        if timeout(TERMINATED, ended).await.is_err() {
            tracing::warn!(server = self.command, "does not end after SIGTERM; killed");
            self.group.kill();
            // It may have ended before the others of its group.
            let _ = self.child.start_kill();
            self.child.wait().await?;
        }
        by_itself.map_or(Ok(None), |status| status.map(Some))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader};

    use super::*;

    /// Starts a shell that starts another process, which tells its id; that id.
    async fn with_a_second_process(script: &str) -> (Server, ChildStdin, rustix::process::Pid) {
        let command = ["sh", "-c", script].map(OsString::from).into();
        let (server, (from, to)) = Server::start(&command).expect("a shell");
        let line = BufReader::new(from).lines().next_line().await.expect("text").expect("a line");
        let id = rustix::process::Pid::from_raw(line.parse().expect("a number"));
        (server, to, id.expect("not 0"))
    }

    /// Ended, though its new parent may not have taken note.
    fn is_gone(id: rustix::process::Pid) -> bool {
        let id = id.as_raw_nonzero();
        let state = std::process::Command::new("ps")
            .args(["-o", "stat=", "-p", &id.to_string()])
            .output()
            .expect("ps");
        let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
        state.is_empty() || state.starts_with('Z')
    }

    #[tokio::test]
    async fn what_a_launcher_leaves_behind_ends_with_it_however_the_launcher_ended() {
        for script in [
            // It ends with its input, the other one does not.
            "sleep 60 & echo $!; cat > /dev/null",
            // It has ended already, with a failure.
            "sleep 60 & echo $!; exit 3",
            // Neither listens to SIGTERM.
            "trap '' TERM; sleep 60 & echo $!; wait",
        ] {
            let (server, to, second) = with_a_second_process(script).await;
            assert!(!is_gone(second));
            drop(to);
            server.end(Instant::now()).await.expect("a status");
            assert!(is_gone(second), "{script}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_dropped_takes_its_group_along() {
        let (server, _to, second) =
            with_a_second_process("trap '' TERM; sleep 60 & echo $!; wait").await;
        drop(server);
        for _ in 0..500 {
            if is_gone(second) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it lives");
    }
}

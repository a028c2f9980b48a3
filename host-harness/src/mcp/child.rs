//! An upstream server as a child process.

use std::{
    ffi::{OsStr, OsString},
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::process_group::ProcessGroup;

/// How long a server may take to end after its input was closed, and again after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

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

/// A running server that speaks MCP on its standard streams. Killed when
/// dropped, with all processes of its group.
#[derive(Debug)]
pub struct Server {
    child: Child,
    group: ProcessGroup,
    command: String,
}

impl Server {
    /// Starts `command` and returns it with what it says and what it hears.
    /// Its stderr is ours.
    ///
    /// # Errors
    /// The operating system does not start it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(
        command: &OsStr,
        arguments: &[OsString],
    ) -> Result<(Self, (ChildStdout, ChildStdin)), StartError> {
        let name = command.to_string_lossy().into_owned();
        let mut builder = Command::new(command);
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

    /// Waits for the end of a server whose input is closed, and of every
    /// process in its group: politely, then with SIGTERM, then with SIGKILL,
    /// 2 s apart. None if the server itself had to be asked. A process that
    /// has left the group (`setsid`) is not the gateway's.
    ///
    /// # Errors
    /// The operating system does not know the child.
    pub async fn end(mut self) -> io::Result<Option<ExitStatus>> {
        let by_itself = timeout(GRACE, self.child.wait()).await;
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
        if timeout(GRACE, ended).await.is_err() {
            tracing::warn!(server = self.command, "does not end after SIGTERM; killed");
            self.group.kill();
            self.child.kill().await?;
        }
        by_itself.map_or(Ok(None), |status| status.map(Some))
    }
}
